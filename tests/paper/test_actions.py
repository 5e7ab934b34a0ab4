"""The table of actions that do the same, derived again from cloned emulator states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from ale_py import Action, ALEInterface, LoggerMode

from agentlens.envs.alike import merge_groups
from agentlens.envs.atari.emulator import rom_path
from agentlens.errors import InvalidArgument

HOLD, AFTER = 6, 18
BALL_X, BALL_Y, PADDLE_Y, BALL_SPEED = 49, 54, 51, 58
"""Pong's RAM, as found by watching it."""


def emulator(game: str) -> ALEInterface:
    ALEInterface.setLoggerMode(LoggerMode.Error)
    ale = ALEInterface()
    ale.setInt("random_seed", 1)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(rom_path(game))
    ale.reset_game()
    return ale


def random_states(ale: ALEInterface, count: int, rng: np.random.Generator) -> Iterator[None]:
    """Stand in the states of random play, from the very first on."""
    actions = ale.getLegalActionSet()
    for _ in range(count):
        yield
        for action in rng.choice(len(actions), 3):
            for _ in range(int(rng.integers(1, 12))):
                ale.act(actions[action])
                if ale.game_over():
                    ale.reset_game()


def contacts(ale: ALEInterface, count: int) -> Iterator[None]:
    """Stand in states of Pong a few frames before the ball reaches the paddle that follows it."""
    previous = 0
    for _ in range(50_000):
        ram = ale.getRAM().astype(int)
        if 185 <= ram[BALL_X] <= 187 and ram[BALL_X] > previous:
            yield
            count -= 1
            if not count:
                return
            for _ in range(6):
                ale.act(Action.NOOP)
        previous = ram[BALL_X]
        ale.act(Action.RIGHT if ram[BALL_Y] < ram[PADDLE_Y] + 7 else Action.LEFT)


def futures(
    ale: ALEInterface, actions: list[Action], after: list[Action]
) -> list[list[tuple[object, ...]]]:
    """For each action: what is seen at each frame while it is held and then under ``after``."""
    state, seen = ale.cloneState(), []
    for action in actions:
        ale.restoreState(state)
        frames: list[tuple[object, ...]] = [
            (ale.act(a), ale.getScreen().tobytes(), ale.lives()) for a in [action] * HOLD + after
        ]
        seen.append([*frames, (ale.getRAM().tobytes(),)])
    ale.restoreState(state)
    return seen


def derive(game: str, count: int) -> tuple[tuple[int, ...], ...]:
    ale, rng = emulator(game), np.random.default_rng(0)
    actions = list(ale.getLegalActionSet())
    same = np.ones((len(actions), len(actions)), bool)
    situations = [random_states(ale, count, rng)]
    if game == "pong":
        situations.append(contacts(ale, 12))
    for situation in situations:
        for _ in situation:
            after = [actions[i] for i in rng.integers(len(actions), size=AFTER)]
            seen = futures(ale, actions, after)
            same &= np.array([[a == b for b in seen] for a in seen])
    return tuple(dict.fromkeys(tuple(int(j) for j in np.flatnonzero(row)) for row in same))


@pytest.mark.parametrize("game", ["pong", "breakout", "space_invaders"])
def test_the_exact_table(game: str) -> None:
    names = [action.name for action in emulator(game).getLegalActionSet()]
    assert derive(game, 30) == merge_groups(game, names, exact=True)


def test_pong_fire_matters_only_where_the_ball_is_hit() -> None:
    ale, speeds = emulator("pong"), []
    for _ in contacts(ale, 25):
        for group in merge_groups("pong", names := [a.name for a in ale.getMinimalActionSet()]):
            plain, fire = (Action.__members__[names[i]] for i in group)
            state, rams = ale.cloneState(), []
            for action in (plain, fire):
                ale.restoreState(state)
                frames = []
                for _ in range(HOLD):
                    ale.act(action)
                    frames.append(ale.getRAM())
                rams.append(np.array(frames))
            ale.restoreState(state)
            np.testing.assert_array_equal(rams[0][:, PADDLE_Y], rams[1][:, PADDLE_Y])
            speeds.append((rams[0][-1, BALL_SPEED], rams[1][-1, BALL_SPEED]))
    assert any(fast > slow for slow, fast in speeds)


def test_groups_of_what_an_agent_has() -> None:
    six = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    assert merge_groups("pong", six) == ((0, 1), (2, 4), (3, 5))
    assert merge_groups("pong", six, exact=True) == tuple((i,) for i in range(6))
    assert merge_groups("pong", ("LEFTFIRE", "NOOP", "LEFT")) == ((0, 2), (1,))
    assert merge_groups("breakout", six[:4]) == ((0,), (1,), (2,), (3,))
    assert merge_groups("seaquest", ("NOOP", "UP")) == ((0,), (1,))
    with pytest.raises(InvalidArgument, match="repeat"):
        merge_groups("pong", ("NOOP", "NOOP"))
