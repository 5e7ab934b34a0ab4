"""Protocols: what an environment id and a named preset say about emulator and preprocessing.

An id gives the emulator's settings, a preset the rest and whatever its origin overrides, an
explicit value beats both. What nobody said is taken from the defaults below and listed.
Nothing here loads an emulator.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentlens import mapping
from agentlens.errors import UnknownName
from agentlens.spec import EnvironmentSpec, ObservationSpec


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GAMES = _words(
    """
    adventure air_raid alien amidar assault asterix asteroids atlantis atlantis2 backgammon
    bank_heist basic_math battle_zone beam_rider berzerk blackjack bowling boxing breakout
    carnival casino centipede chopper_command crazy_climber crossbow darkchambers defender
    demon_attack donkey_kong double_dunk earthworld elevator_action enduro entombed et
    fishing_derby flag_capture freeway frogger frostbite galaxian gopher gravitar hangman
    haunted_house hero human_cannonball ice_hockey jamesbond journey_escape kaboom kangaroo
    keystone_kapers king_kong klax koolaid krull kung_fu_master laser_gates lost_luggage
    mario_bros miniature_golf montezuma_revenge mr_do ms_pacman name_this_game othello pacman
    phoenix pitfall pitfall2 pong pooyan private_eye qbert riverraid road_runner robotank
    seaquest sir_lancelot skiing solaris space_invaders space_war star_gunner superman surround
    tennis tetris tic_tac_toe_3d time_pilot trondead turmoil tutankham up_n_down venture
    video_checkers video_chess video_cube video_pinball wizard_of_wor word_zapper yars_revenge
    zaxxon
    """
)
"""ROM names of ale-py's single-player games."""

_NO_LEGACY_IDS = _words(
    """
    atlantis2 backgammon basic_math blackjack casino crossbow darkchambers donkey_kong earthworld
    entombed et flag_capture frogger galaxian hangman haunted_house human_cannonball kaboom
    keystone_kapers king_kong klax koolaid laser_gates lost_luggage mario_bros miniature_golf
    mr_do othello pacman pitfall2 sir_lancelot space_war superman surround tetris tic_tac_toe_3d
    trondead turmoil video_checkers video_chess video_cube word_zapper
    """
)

_MAX_FRAMES = 108_000

_SB3_START = (
    {"action": "NOOP", "least": 1, "most": 30},
    {"action": "FIRE", "unit": "decision", "when": "FIRE"},
    {"action": "#2", "unit": "decision", "when": "FIRE"},
)
_SB3_LIFE_LOSS = (
    {"action": "NOOP", "unit": "decision"},
    {"action": "FIRE", "unit": "decision", "when": "FIRE"},
    {"action": "#2", "unit": "decision", "when": "FIRE"},
)
# As measured with ale-py 0.12.1: FIRE comes first, and the draw of 0 to 29 no-ops counts it (so
# that none after FIRE is twice as frequent there as any other number).
_VECTOR_START = (
    {"action": "FIRE", "when": "FIRE"},
    {"action": "NOOP", "least": 0, "most": 28, "when": "FIRE"},
    {"action": "NOOP", "least": 0, "most": 29, "when": "no FIRE"},
)
_PLAIN = {
    "start": (),
    "after_life_loss": (),
    "stack_after_life_loss": "keep",
    "terminal_on_life_loss": False,
}
_EPISODIC = {
    "frame_skip": (4, 4),
    "start": _SB3_START,
    "after_life_loss": _SB3_LIFE_LOSS,
    "terminal_on_life_loss": True,
}
_NATURE = {
    "pool": "rgb",
    "grayscale": "cv2",
    "grey_rounding": "nearest",
    "grey_after_resize": False,
    "crop": None,
    "contrast_stretch": False,
    "resize": (84, 84),
    "interpolation": "cv2-area",
    "plane_rounding": "nearest",
    "stack": 4,
    "stack_fill": "zeros",
    "scale_divisor": 255.0,
}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A common protocol: what it says about the environment and the observation, and whose it
    is."""

    origin: str
    environment: Mapping[str, Any]
    observation: Mapping[str, Any]


PRESETS: Mapping[str, Preset] = {
    "sb3-atari": Preset(
        origin="stable-baselines3: make_atari_env and VecFrameStack(4)",
        environment=_EPISODIC | {"stack_after_life_loss": "zeros"},
        observation=_NATURE,
    ),
    "cleanrl-atari": Preset(
        origin="CleanRL: the wrappers of dqn_atari.py and ppo_atari.py",
        environment=_EPISODIC | {"stack_after_life_loss": "repeat"},
        observation=_NATURE | {"grey_after_resize": True, "stack_fill": "repeat"},
    ),
    "ale-vector": Preset(
        origin="ale-py: AtariVectorEnv with its defaults",
        environment=_PLAIN
        | {"frame_skip": (4, 4), "repeat_action_probability": 0.0, "start": _VECTOR_START},
        observation=_NATURE | {"pool": "grey", "grayscale": "ale"},
    ),
    "baby-a3c": Preset(
        origin="greydanus/baby-a3c: Game-v4 and its prepro",
        environment=_PLAIN | {"frame_skip": (2, 4), "repeat_action_probability": 0.0},
        observation=_NATURE
        | {
            "pool": "none",
            "grayscale": "mean",
            "grey_rounding": "float",
            "crop": (35, 195, 0, 160),
            "contrast_stretch": True,
            "resize": (80, 80),
            "interpolation": "pillow-bilinear",
            "stack": 1,
        },
    ),
    "ale-v5": Preset(
        origin="Machado et al. 2018 with Gymnasium's AtariPreprocessing and a stack of 4",
        environment=_PLAIN | {"frame_skip": (4, 4), "repeat_action_probability": 0.25},
        observation=_NATURE | {"pool": "grey", "grayscale": "ale", "stack_fill": "repeat"},
    ),
}

ENVIRONMENT_DEFAULTS: Mapping[str, Any] = _PLAIN
"""Taken, and listed as assumed, where neither id nor preset nor caller says anything."""

OBSERVATION_DEFAULTS: Mapping[str, Any] = _NATURE
"""As ``ENVIRONMENT_DEFAULTS``: the observation of ``sb3-atari``, the commonest."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A protocol with nothing left open; ``assumed`` lists ``"section.field = value"``."""

    environment: EnvironmentSpec
    observation: ObservationSpec
    assumed: tuple[str, ...]


def game_title(game: str) -> str:
    """CamelCase name of a ROM: ``"space_invaders"`` -> ``"SpaceInvaders"``."""
    return game.title().replace("_", "")


def environment_ids() -> tuple[str, ...]:
    """Every id that ``resolve`` knows: ``ALE/X-v5``, ``X-v0``, ``X-v4``,
    ``XNoFrameskip-v0/-v4``."""
    return tuple(_ids())


def resolve(
    env_id: str,
    *,
    preset: str | None = None,
    environment: Mapping[str, Any] | None = None,
    observation: Mapping[str, Any] | None = None,
) -> Resolved:
    """Say everything about an environment and its preprocessing.

    Args:
        env_id: an id as Gymnasium and ale-py register it, such as ``"ALE/Pong-v5"``.
        preset: a name of ``PRESETS``.
        environment: fields of ``EnvironmentSpec`` that beat id and preset; ``frame_skip`` may be
            one number.
        observation: fields of ``ObservationSpec`` that beat the preset.

    Raises:
        UnknownName: unknown id or preset, with what was probably meant.
        ManifestError: an override names no field or has the wrong kind.

    Example:
        >>> resolve("Pong-v4").environment.frame_skip
        (2, 4)
        >>> resolve("PongNoFrameskip-v4", preset="sb3-atari").environment.frame_skip_text
        '4'
    """
    by_id = _ids().get(env_id)
    if by_id is None:
        raise _unknown_id(env_id)
    if preset is not None and preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    named = (
        PRESETS[preset] if preset is not None else Preset(origin="", environment={}, observation={})
    )
    said_environment = {**by_id, **named.environment, **(environment or {})}
    said_observation = {**named.observation, **(observation or {})}
    if type(said_environment["frame_skip"]) is int:
        said_environment["frame_skip"] = (said_environment["frame_skip"],) * 2
    assumed = [
        f"{section}.{field} = {mapping.encode(value)!r}"
        for section, said, defaults in (
            ("environment", said_environment, ENVIRONMENT_DEFAULTS),
            ("observation", said_observation, OBSERVATION_DEFAULTS),
        )
        for field, value in defaults.items()
        if field not in said
    ]
    return Resolved(
        environment=mapping.decode(
            EnvironmentSpec,
            mapping.encode({**ENVIRONMENT_DEFAULTS, **said_environment}),
            "environment",
        ),
        observation=mapping.decode(
            ObservationSpec,
            mapping.encode({**OBSERVATION_DEFAULTS, **said_observation}),
            "observation",
        ),
        assumed=tuple(assumed),
    )


def _ids() -> dict[str, dict[str, Any]]:
    ids = {}
    for game in GAMES:
        title = game_title(game)
        ids[f"ALE/{title}-v5"] = _emulator(f"ALE/{title}-v5", game, (4, 4), 0.25)
        if game in _NO_LEGACY_IDS:
            continue
        for version, sticky in (("v0", 0.25), ("v4", 0.0)):
            for suffix, frame_skip in (("", (2, 4)), ("NoFrameskip", (1, 1))):
                env_id = f"{title}{suffix}-{version}"
                ids[env_id] = _emulator(env_id, game, frame_skip, sticky)
    return ids


def _emulator(env_id: str, game: str, frame_skip: tuple[int, int], sticky: float) -> dict[str, Any]:
    return {
        "id": env_id,
        "game": game,
        "frame_skip": frame_skip,
        "repeat_action_probability": sticky,
        "full_action_space": False,
        "max_frames": _MAX_FRAMES,
    }


def _unknown_id(env_id: str) -> UnknownName:
    bare = re.sub(
        r"^ALE/|(-ramDeterministic|-ramNoFrameskip|-ram|Deterministic|NoFrameskip)?(-v\d+)?$",
        "",
        env_id,
    )
    titles = {game_title(game).lower(): game_title(game) for game in GAMES}
    title = titles.get(bare.replace("_", "").replace("-", "").replace(" ", "").lower())
    if title is None:
        return UnknownName("environment", env_id, environment_ids())
    hint = f"The id for it is 'ALE/{title}-v5' (frame skip 4, sticky actions 0.25)"
    if f"{title}NoFrameskip-v4" in _ids():
        hint += f" or '{title}NoFrameskip-v4' (frame skip 1, none)"
    hint += "."
    if "Deterministic" in env_id:
        hint = (
            "Deterministic ids were removed from ale-py; "
            f"'{title}NoFrameskip-v4' with frame_skip 4 is the same game."
        )
    return UnknownName("environment", env_id, (f"ALE/{title}-v5",), hint)
