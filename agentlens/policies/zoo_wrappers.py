"""Wrappers and environment arguments as rl-baselines3-zoo names them, turned into a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentlens.envs import protocols
from agentlens.envs.atari.presets import PRESETS
from agentlens.errors import CheckpointError, UnknownName

_ATARI_WRAPPER = "stable_baselines3.common.atari_wrappers.AtariWrapper"
_DEFAULTS: Mapping[str, int | float] = {
    "noop_max": 30,
    "frame_skip": 4,
    "screen_size": 84,
    "terminal_on_life_loss": True,
    "clip_reward": True,
    "action_repeat_probability": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class WrapperSettings:
    """What SB3's AtariWrapper was told, as far as it differs from its defaults.

    ``frame_skip``: emulator steps of a decision. ``sticky``: its own repetition of actions.
    """

    environment: Mapping[str, Any]
    observation: Mapping[str, Any]
    reward: str
    frame_skip: int
    sticky: float


def atari_wrapper(wrappers: Any, where: str) -> WrapperSettings | None:
    """Read ``env_wrapper``: a name, a name with arguments, or a list of such; ``None`` for none.

    Raises:
        CheckpointError: another wrapper, or an argument that SB3's AtariWrapper does not have.
    """
    listed = wrappers if isinstance(wrappers, list) else [wrappers] if wrappers else []
    settings = None
    for wrapper in listed:
        name, arguments = _name_and_arguments(wrapper)
        if name != _ATARI_WRAPPER or settings is not None:
            raise CheckpointError(
                f"{where}: env_wrapper {name[:100]!r} is not known here; expected "
                f"{_ATARI_WRAPPER}, once."
            )
        settings = _settings(arguments, where)
    return settings


def _name_and_arguments(wrapper: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(wrapper, Mapping) and len(wrapper) == 1:
        name, arguments = next(iter(wrapper.items()))
        return str(name), arguments if isinstance(arguments, Mapping) else {}
    return str(wrapper), {}


def _settings(arguments: Mapping[str, Any], where: str) -> WrapperSettings:
    for key, value in arguments.items():
        kind = type(_DEFAULTS[key]) if key in _DEFAULTS else None
        right = type(value) is kind or (kind is float and type(value) is int)
        if not right or not 0 <= value <= 10_000:
            raise CheckpointError(
                f"{where}: AtariWrapper's {str(key)[:60]} = {str(value)[:60]}; expected some of "
                f"{', '.join(_DEFAULTS)} with numbers or truth values."
            )
    options = {**_DEFAULTS, **arguments}
    environment: dict[str, Any] = {}
    noops, size, skip = (int(options[k]) for k in ("noop_max", "screen_size", "frame_skip"))
    if noops != _DEFAULTS["noop_max"]:
        start = list(PRESETS["sb3-atari"].environment["start"])
        environment["start"] = [
            *([{"action": "NOOP", "least": 1, "most": noops}] if noops else []),
            *start[1:],
        ]
    if not options["terminal_on_life_loss"]:
        environment |= {
            "terminal_on_life_loss": False,
            "after_life_loss": [],
            "stack_after_life_loss": "keep",
        }
    return WrapperSettings(
        environment=environment,
        observation={} if size == _DEFAULTS["screen_size"] else {"resize": [size, size]},
        reward="clipped" if options["clip_reward"] else "raw",
        frame_skip=max(1, skip),
        sticky=float(options["action_repeat_probability"]),
    )


def environment_arguments(
    keywords: Mapping[str, Any], wrapper: WrapperSettings | None, env: str, where: str
) -> dict[str, Any]:
    """Fields of the environment from ``env_kwargs`` and the wrapper's arguments.

    A wrapper's frame skip counts steps of the environment below: "ALE/Pong-v5" under a wrapper of 4
    advances 16 emulator frames a decision.

    Raises:
        CheckpointError: an argument that is not known here, or has no use in what it is said with.
    """
    environment = {} if wrapper is None else dict(wrapper.environment)
    below = _skip_of(env)
    for key, value in keywords.items():
        if key == "frameskip":
            drawn = isinstance(value, list | tuple)
            pair = value if drawn else (value, value)
            if len(pair) != 2 or any(type(n) is not int or not 0 < n < 600 for n in pair):
                raise CheckpointError(f"{where}: frameskip = {str(value)[:60]}: no frame skip.")
            below = (pair[0], pair[1] - drawn)
            environment["frame_skip"] = list(below)
        elif key in ("repeat_action_probability", "full_action_space", "mode", "difficulty"):
            if value is not None:
                environment[key] = value
        elif key == "max_num_frames_per_episode" and type(value) is int:
            environment["max_frames"] = value
        elif not (key in ("render_mode", "obs_type") and value in (None, "rgb", "rgb_array")):
            raise CheckpointError(
                f"{where}: env_kwargs {str(key)[:60]} = {str(value)[:60]} is not known here."
            )
    if wrapper is not None and (below != (1, 1) or wrapper.frame_skip != 4):
        environment["frame_skip"] = [n * wrapper.frame_skip for n in below]
        if below[0] == below[1] > 1:
            environment["step_frames"] = below[0]
    if wrapper is not None and wrapper.sticky:
        environment["repeat_action_probability"] = wrapper.sticky
    return environment


def _skip_of(env: str) -> tuple[int, int]:
    """The frame skip that an id has by itself; 1 where the id says nothing yet."""
    try:
        return protocols.resolve(env).environment.frame_skip if env else (1, 1)
    except UnknownName:
        return (1, 1)
