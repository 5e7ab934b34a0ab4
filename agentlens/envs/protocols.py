"""Protocols: what an environment id and a named preset say about a world and its preprocessing.

An id gives the world's settings, a preset the rest and whatever its origin overrides, an explicit
value beats both. What nobody said is taken from the kind's defaults and listed.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentlens import mapping
from agentlens.envs.base import DEFAULT_KIND, ENVIRONMENTS, EnvironmentKind, Preset
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import EnvironmentSpec, ObservationSpec


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A protocol with nothing left open.

    Attributes:
        assumed: ``"section.field = value"`` for what nobody said.
        overridden: the same for what the preset plays otherwise than the id says.
    """

    environment: EnvironmentSpec
    observation: ObservationSpec
    assumed: tuple[str, ...]
    overridden: tuple[str, ...]


def presets() -> dict[str, Preset]:
    """Every preset of every kind, by name."""
    return {
        name: preset
        for kind in ENVIRONMENTS.names()
        for name, preset in ENVIRONMENTS.load(kind).presets.items()
    }


def kind_of(env_id: str) -> str:
    """The kind of environment that an id belongs to; the default one where none knows it."""
    return next((name for name in _kinds() if ENVIRONMENTS.load(name).knows(env_id)), DEFAULT_KIND)


@functools.cache
def _kinds() -> tuple[str, ...]:
    return tuple(sorted(ENVIRONMENTS.names(), key=lambda name: name != DEFAULT_KIND))


def resolve(
    env_id: str,
    *,
    preset: str | None = None,
    environment: Mapping[str, Any] | None = None,
    observation: Mapping[str, Any] | None = None,
    trust_code: bool = False,
) -> Resolved:
    """Say everything about an environment and its preprocessing.

    Args:
        env_id: an id as Gymnasium and ale-py register it, such as ``"ALE/Pong-v5"``.
        preset: a name of ``presets()``.
        environment: fields of ``EnvironmentSpec`` that beat id and preset; ``frame_skip`` may be
            one number.
        observation: fields of ``ObservationSpec`` that beat the preset.
        trust_code: allow code that the id or the options name to run.

    Raises:
        UnknownName: unknown id or preset, with what was probably meant.
        ManifestError: an override names no field or has the wrong kind.

    Example:
        >>> resolve("Pong-v4").environment.frame_skip
        (2, 4)
        >>> resolve("PongNoFrameskip-v4", preset="sb3-atari").environment.frame_skip_text
        '4'
    """
    explicit = EnvironmentSpec.from_table(environment or {})
    kind = str(explicit.get("kind") or kind_of(env_id))
    world = ENVIRONMENTS.load(kind)
    options: Any = mapping.decode(world.options, explicit.get("options", {}), f"environment.{kind}")
    described = world.describe(env_id, options, trust_code=trust_code)
    named = _preset(world, preset)
    environment_settings = {**described.environment, **named.environment, **explicit}
    observation_settings = {**described.observation, **named.observation, **(observation or {})}
    environment_settings |= {"kind": kind, "options": mapping.encode(options)}
    notes = []
    if named.wraps and "frame_skip" not in explicit:
        notes = _wrapped(env_id, preset, described.environment["frame_skip"], environment_settings)
    if type(environment_settings["frame_skip"]) is int:
        environment_settings["frame_skip"] = (environment_settings["frame_skip"],) * 2
    assumed = [
        *_unsaid("environment", environment_settings, world.environment_defaults),
        *_unsaid("observation", observation_settings, world.observation_defaults),
    ]
    return Resolved(
        environment=mapping.decode(
            EnvironmentSpec,
            mapping.encode({**world.environment_defaults, **environment_settings}),
            "environment",
        ),
        observation=mapping.decode(
            ObservationSpec,
            mapping.encode({**world.observation_defaults, **observation_settings}),
            "observation",
        ),
        assumed=(*assumed, *notes),
        overridden=_overridden(preset, named, described.environment, explicit),
    )


def _unsaid(section: str, said: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """What is taken from defaults, a line each."""
    return [
        f"{section}.{field} = {mapping.encode(value)!r}"
        for field, value in defaults.items()
        if field not in said
    ]


def usual_preset(env_id: str) -> str | None:
    """The preset for an agent without one in an environment."""
    return ENVIRONMENTS.load(kind_of(env_id)).usual_preset


def id_settings(env_id: str, *names: str, trust_code: bool = False) -> dict[str, Any]:
    """What an id itself says of some fields of ``EnvironmentSpec``."""
    kind = ENVIRONMENTS.load(kind_of(env_id))
    described = kind.describe(env_id, trust_code=trust_code).environment
    return {name: described[name] for name in names}


def _wrapped(
    env_id: str, preset: str | None, inner: tuple[int, int], said: dict[str, Any]
) -> list[str]:
    """Multiply a wrapper's frame skip by that of the environment that it wraps; says so.

    Raises:
        InvalidArgument: the inner one is drawn anew each time, which no product can say.
    """
    low, high = inner
    if low != high:
        raise InvalidArgument(
            f"{env_id} itself skips {low} to {high} frames and {preset} would skip 4 of its steps: "
            "give frame_skip in a manifest, or an id whose frame skip is fixed."
        )
    if low == 1:
        return []
    steps = said["frame_skip"][0]
    said["frame_skip"] = (steps * low,) * 2
    said["options"] = {**said["options"], "step_frames": low}
    return [
        f"environment.frame_skip = {steps * low}: {preset} takes {steps} steps of {env_id}, each "
        f"of {low} frames"
    ]


def _overridden(
    preset: str | None, named: Preset, own: Mapping[str, Any], explicit: Mapping[str, Any]
) -> tuple[str, ...]:
    """What a preset plays otherwise than the id says, a line each.

    Not listed: the frame skip of an id that leaves it to whoever wraps it.
    """
    return tuple(
        f"environment.{field} = {mapping.encode(named.environment[field])!r}: as {preset} says; "
        f"{own['id']} itself says {mapping.encode(value)!r}"
        for field, value in own.items()
        if field not in explicit
        and named.environment.get(field, value) != value
        and not (field == "frame_skip" and tuple(value) == (1, 1))
    )


def _preset(world: EnvironmentKind, name: str | None) -> Preset:
    if name is None:
        return Preset(origin="", environment={}, observation={})
    if name not in world.presets:
        raise UnknownName("preset", name, world.presets)
    return world.presets[name]
