"""Which moments are shown, value bias, axes of figures: hand values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlens.comparison.moments import largest, output_moments, spread_states, steps_by_episode
from agentlens.comparison.outputs import shared_states
from agentlens.comparison.svg import Axis, axis_over, nice_step
from agentlens.comparison.values import discounted, value_bias
from agentlens.spec import ValueSpec
from tests.compare_samples import AGENT, Game, random_games, write


def test_the_largest_moments_keep_their_distance() -> None:
    amounts = np.array([5.0, 9.0, 8.0, 1.0, 7.0, 0.0])
    steps, episodes = np.array([0, 1, 2, 30, 3, 60]), np.array([0, 0, 0, 0, 1, 0])
    assert largest(amounts, episodes, steps, 3, apart=20) == (1, 4, 3)
    assert largest(amounts, episodes, steps, 9, apart=1) == (1, 2, 4, 0, 3)  # never a 0
    assert largest(amounts, episodes, steps, 0) == ()


@given(st.integers(1, 300), st.integers(1, 300))
def test_spread_states_are_distinct_and_reach_both_ends(states: int, count: int) -> None:
    places = spread_states(np.zeros(states, int), count)
    assert len(places) == len(set(places.tolist())) == min(states, count)
    assert places[0] == 0
    assert count == 1 or places[-1] == states - 1


def test_moments_find_the_planted_disagreement_and_random_ones_stand_beside(
    tmp_path: Path,
) -> None:
    games = random_games(0, (40, 40), (1, 2))
    odd = [replace(g, outputs=g.outputs.copy(), values=np.copy(g.values)) for g in games]
    odd[1].outputs[17] = [0, 0, 60, 0, 0, 0]
    odd[0].values[5] = 500.0  # type: ignore[index]
    one, two = write(tmp_path / "a", games), write(tmp_path / "b", odd, player="A")
    shared = shared_states(one, "A", two, "B", own_first=True)
    found = output_moments(shared, 2)
    first = {m.kind: (m.episode, m.step) for m in reversed(found)}
    assert first["policy"] == (1, 17)
    assert first["value"] == (0, 5)
    assert sum(m.kind == "random" for m in found) == 2
    assert found == output_moments(shared, 2)
    assert 17 in steps_by_episode(found)[1]


def test_a_state_is_told_once() -> None:
    amounts, episodes = np.arange(1.0, 101.0), np.zeros(100, np.int64)
    steps = np.arange(100)
    assert largest(amounts, episodes, steps, 2) == (99, 79)
    assert largest(amounts, episodes, steps, 2, told=[(0, 95)]) == (75, 55)
    assert largest(amounts, episodes, steps, 2, told=[(1, 95)]) == (99, 79)


def test_value_bias_is_value_minus_what_followed(tmp_path: Path) -> None:
    """Reward 8 at the first step only, gamma 0.5: the return is 8, then 0."""
    agent = replace(AGENT, value=ValueSpec(gamma=0.5, reward="raw"))
    game = Game(outputs=np.zeros((4, 6)), values=np.array([9.0, 1.0, 1.0, 1.0]), total=8.0)
    cut = replace(game, values=np.full(4, 99.0), end="max_steps")
    recording = write(tmp_path / "a", [game, cut], agent=agent)
    found = value_bias(recording, "A")
    assert found is not None
    assert found.bias.estimate == 1.0
    assert (found.episodes, found.states) == (1, 4)
    assert value_bias(write(tmp_path / "b", [game]), "A") is None
    # Whether the critic learned that a lost life is the end, nothing says.
    lives = replace(game, lives=(2, 2, 1, 1))
    assert value_bias(write(tmp_path / "c", [game, lives], agent=agent), "A") is None


def test_discounting_by_hand() -> None:
    assert discounted(np.array([1.0, 0.0, 4.0]), 0.5).tolist() == [2.0, 2.0, 4.0]
    assert discounted(np.zeros(0), 0.9).tolist() == []


@given(st.floats(1e-6, 1e6))
def test_tick_steps_are_round_and_just_large_enough(size: float) -> None:
    step = nice_step(size)
    assert size <= step * (1 + 1e-6)
    assert step <= 2.5 * size * (1 + 1e-6)
    leading = step / 10.0 ** np.floor(np.log10(step) + 1e-9)
    assert any(leading == pytest.approx(d) for d in (1, 2, 5, 10))


def test_axes_hold_what_they_show() -> None:
    axis = axis_over([3.0, 3.0], 0, 100)
    assert 0 < axis(3.0) < 100
    assert axis_over([float("nan")], 0, 100)(0.0) == 50
    assert Axis(low=-1, high=1, start=0, end=10).ticks(4) == [-1.0, -0.5, 0.0, 0.5, 1.0]
