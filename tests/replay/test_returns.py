"""Games played for their returns alone are the games that would be recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.rollout import returns
from agentlens.rollout import selection as choosing
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.rollout.returns import Played, play_returns
from agentlens.rollout.stuck import StuckDetector
from tests.rollout_agents import tiny_agent


def breakout(folder: Path, **options: Any) -> Agent:
    return tiny_agent(folder, "ALE/Breakout-v5", preset="ale-vector", **options)


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, ...]:
    """Five Breakout games, each alone."""
    agent = breakout(tmp_path_factory.mktemp("agent"))
    return play_returns(agent, play=Play(episodes=5, n_envs=1))


def test_they_are_the_recorded_games(tmp_path: Path, one_by_one: tuple[Played, ...]) -> None:
    recording = record(
        breakout(tmp_path / "agent"), output=tmp_path / "recording", play=Play(episodes=2)
    )
    for episode, game in zip(recording.episodes, one_by_one[:2], strict=True):
        assert (episode.raw_return, len(episode), episode.end) == (
            game.raw_return,
            game.steps,
            game.end,
        )
    assert len({game.digest for game in one_by_one}) == 5


@pytest.mark.parametrize("n_envs", [3, 5])
def test_their_number_side_by_side_changes_no_game(
    tmp_path: Path, one_by_one: tuple[Played, ...], n_envs: int
) -> None:
    assert (
        play_returns(breakout(tmp_path / "agent"), play=Play(episodes=5, n_envs=n_envs))
        == one_by_one
    )


@pytest.mark.parametrize("selection", ["greedy", "epsilon"])
def test_nor_however_actions_are_chosen(tmp_path: Path, selection: Any) -> None:
    agent = breakout(tmp_path / "a", selection=selection)
    action = replace(agent.spec.action, epsilon=0.3 if selection == "epsilon" else 0.0)
    agent = replace(agent, spec=replace(agent.spec, action=action))
    alone, together = (
        play_returns(agent, play=Play(episodes=2, n_envs=n_envs, stuck_after=150))
        for n_envs in (1, 2)
    )
    assert alone == together
    assert {game.end for game in alone} <= {"stuck", "terminated"}


def test_a_close_choice_is_made_from_the_recorders_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_by_one: tuple[Played, ...]
) -> None:
    """Batched outputs are spoiled by less than the tolerance; both are enlarged to be felt."""
    told = returns.evaluate

    def spoiled(*words: Any, rows: int = 0) -> list[Outputs]:
        outputs = told(*words, rows=rows)
        if rows < 2:
            return outputs
        noise = 0.019 * np.resize([1.0, -1.0], len(outputs[0].preferences))
        return [o._replace(preferences=o.preferences + noise) for o in outputs]

    monkeypatch.setattr(choosing, "ROUNDING", 0.02)
    monkeypatch.setattr(returns, "evaluate", spoiled)
    assert play_returns(breakout(tmp_path / "a"), play=Play(episodes=2, n_envs=2)) == one_by_one[:2]


def test_an_agent_with_memory_plays_the_recorded_games_too(tmp_path: Path) -> None:
    agent = breakout(tmp_path / "a", state_size=3)
    games = play_returns(agent, play=Play(episodes=2, n_envs=2))
    recording = record(agent, output=tmp_path / "recording", play=Play(episodes=2, n_envs=2))
    assert [g.raw_return for g in games] == [e.raw_return for e in recording.episodes]


@pytest.mark.parametrize("counts", [{"episodes": 0}, {"episodes": 1, "n_envs": 0}])
def test_no_games_are_refused(counts: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="0: expected an integer from 1"):
        Play(**counts)


def test_a_stuck_game_shows_nothing_new() -> None:
    planes = np.arange(3, dtype=np.uint8).reshape(3, 1, 1)
    detector = StuckDetector(2)
    seen = [detector.see(planes[i], progress=False) for i in (0, 1, 0, 2, 0)]
    assert seen == [False] * 5
    assert not detector.see(planes[1], progress=True)
    assert [detector.see(planes[1], progress=False) for _ in range(2)] == [False, True]
    assert not any(StuckDetector(0).see(planes[0], progress=False) for _ in range(9))
