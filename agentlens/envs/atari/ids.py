"""Environment ids as Gymnasium and ale-py register them, and what each says of the emulator."""

from __future__ import annotations

import functools
import re
from typing import Any

from agentlens.errors import UnknownName


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


def game_title(game: str) -> str:
    """CamelCase name of a ROM: ``"space_invaders"`` -> ``"SpaceInvaders"``."""
    return game.title().replace("_", "")


def environment_ids() -> tuple[str, ...]:
    """Every id there is: ``ALE/X-v5``, ``X-v0``, ``X-v4``, ``XNoFrameskip-v0/-v4``."""
    return tuple(_ids())


def describe_id(env_id: str) -> dict[str, Any]:
    """Fields of ``EnvironmentSpec`` that an id decides.

    Raises:
        UnknownName: no such id, with what was probably meant.
    """
    if env_id not in _ids():
        raise _unknown_id(env_id)
    return dict(_ids()[env_id])


@functools.cache
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
        hint = "An environment of another package is named module:Id, with --trust-code."
        return UnknownName("environment", env_id, environment_ids(), hint)
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
