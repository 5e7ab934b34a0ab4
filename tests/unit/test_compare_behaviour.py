"""How alike two agents act: hand values, merged actions, agents with other action sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.comparison.behaviour import Behaviour, behaviour, state_measures
from agentlens.comparison.outputs import (
    Actions,
    Outputs,
    SharedStates,
    common_actions,
    divergence,
    shared_states,
)
from agentlens.comparison.statistics import Interval
from agentlens.errors import InvalidArgument
from agentlens.spec import ActionSpec
from tests.compare_samples import AGENT, PONG, Game, random_games, write

LOG = np.log


def figure(of: Behaviour, name: str) -> Interval:
    interval = of.figures[name]
    assert interval is not None
    return interval


def pair(p: np.ndarray, q: np.ndarray, **values: np.ndarray | None) -> SharedStates:
    names = tuple("abcdef"[: p.shape[1]])
    columns = tuple(range(len(names)))
    return SharedStates(
        first="A",
        second="B",
        states_of="A",
        actions=Actions(names=names, columns=(columns,) * 2),
        episodes=np.zeros(len(p), int),
        steps=np.arange(len(p)),
        first_outputs=Outputs(greedy=p.argmax(1), probabilities=p, values=values.get("first")),
        second_outputs=Outputs(greedy=q.argmax(1), probabilities=q, values=values.get("second")),
    )


def test_measures_of_one_state_by_hand() -> None:
    columns = state_measures(pair(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])))
    assert columns["greedy_agreement"][0] == 0.0
    assert columns["sampled_agreement"][0] == 0.5
    assert (columns["first_self"][0], columns["second_self"][0]) == (0.5, 0.625)
    assert columns["total_variation"][0] == 0.25
    assert columns["kl_first_second"][0] == pytest.approx(0.5 * LOG(2) + 0.5 * LOG(2 / 3))
    assert columns["first_entropy"][0] == pytest.approx(LOG(2))


def test_a_certain_action_has_entropy_zero_and_a_finite_divergence() -> None:
    p = np.array([[1.0, 0.0]])
    assert divergence(p, np.array([[0.25, 0.75]]))[0] == pytest.approx(LOG(4))
    assert divergence(np.array([[0.25, 0.75]]), p)[0] > 100
    assert state_measures(pair(p, p))["first_entropy"][0] == 0.0


@settings(deadline=None)  # the first call imports the measures
@given(st.integers(0, 10_000))
def test_measures_stay_in_their_ranges(seed: int) -> None:
    p, q = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), size=(2, 5))
    columns = state_measures(pair(p, q))
    assert (columns["kl_first_second"] >= 0).all()
    assert (columns["total_variation"] <= 1).all()
    assert (
        columns["sampled_agreement"]
        <= np.sqrt(columns["first_self"] * columns["second_self"]) + 1e-12
    ).all()
    assert (columns["total_variation"] <= np.sqrt(columns["kl_first_second"] / 2) + 1e-12).all()


def test_a_policy_agrees_with_itself(tmp_path: Path) -> None:
    games = random_games(0)
    own, again = write(tmp_path / "a", games), write(tmp_path / "b", games, player="A")
    shared = shared_states(own, "A", again, "A again", own_first=True)
    same = behaviour(shared)
    assert same.states == 36
    assert same.episodes == 3
    assert same.greedy_agreement.estimate == 1.0
    assert (figure(same, "kl_first_second").low, figure(same, "kl_first_second").high) == (0.0, 0.0)
    assert figure(same, "total_variation").estimate == 0.0
    assert figure(same, "value_difference").estimate == 0.0
    assert figure(same, "value_correlation").estimate == pytest.approx(1.0)
    assert len({same.figures[f] for f in ("sampled_agreement", "first_self", "second_self")}) == 1


def test_actions_that_do_the_same_agree(tmp_path: Path) -> None:
    """RIGHT and RIGHTFIRE are one action in Pong, so these two policies are the same."""
    right, right_fire = np.full((4, 6), -50.0), np.full((4, 6), -50.0)
    right[:, PONG.index("RIGHT")] = 50.0
    right_fire[:, PONG.index("RIGHTFIRE")] = 50.0
    one = write(tmp_path / "a", [Game(outputs=right, values=None)])
    other = write(tmp_path / "b", [Game(outputs=right_fire, values=None)], player="A")
    same = behaviour(shared_states(one, "A", other, "B", own_first=True))
    assert same.greedy_agreement.estimate == 1.0
    assert figure(same, "sampled_agreement").estimate == pytest.approx(1.0)
    assert same.figures["value_correlation"] is None


def test_another_action_set_is_lined_up_by_name_and_has_no_divergence_towards_what_it_lacks(
    tmp_path: Path,
) -> None:
    few = replace(AGENT, action=ActionSpec(meanings=("LEFT", "NOOP"), selection="sample"))
    actions = common_actions(AGENT, few)
    assert actions.columns[1][1] == actions.columns[0][0]  # NOOP
    assert actions.columns[1][0] == actions.columns[0][3]  # LEFT
    assert actions.allowed(0).all()
    assert not actions.allowed(1).all()
    one = write(tmp_path / "a", random_games(0, (8,), (1,)))
    two_outputs = np.array([[LOG(3.0), 0.0]] * 8)
    other = write(tmp_path / "b", [Game(outputs=two_outputs, values=None)], agent=few, player="A")
    measured = behaviour(shared_states(one, "A", other, "B", own_first=True))
    assert measured.figures["kl_first_second"] is None
    assert measured.figures["kl_second_first"] is not None
    swapped = shared_states(other, "B", one, "A", own_first=False)
    assert swapped.first == "A"
    assert swapped.first_outputs.probabilities is not None
    assert swapped.second_outputs.probabilities is not None
    noop = actions.columns[0][0]
    assert swapped.second_outputs.probabilities[0, noop] == pytest.approx(0.25)


def test_a_q_network_has_greedy_agreement_and_nothing_that_needs_probabilities(
    tmp_path: Path,
) -> None:
    games = random_games(0)
    plain = [replace(g, values=None) for g in games]
    one = write(tmp_path / "a", games)
    other = write(tmp_path / "b", plain, player="A", q_network=True)
    measured = behaviour(shared_states(one, "A", other, "B", own_first=True))
    assert measured.figures["sampled_agreement"] is None
    assert measured.figures["total_variation"] is None
    assert measured.figures["second_entropy"] is None
    assert measured.figures["first_entropy"] is not None
    assert measured.figures["value_correlation"] is not None  # of the largest Q-value


def test_states_of_another_recording_are_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "a", random_games(0))
    other = write(tmp_path / "b", random_games(0, (12, 9, 14)), player="A")
    with pytest.raises(InvalidArgument, match=r"no revisit.*episode 2 has 14 steps there and 15"):
        shared_states(one, "A", other, "B", own_first=True)


def test_agents_of_two_games_are_refused() -> None:
    breakout = replace(AGENT, name="b", environment=replace(AGENT.environment, game="breakout"))
    with pytest.raises(InvalidArgument, match="sample plays pong and b plays breakout"):
        common_actions(AGENT, breakout)
