"""Games played for their returns alone are the games that would be recorded, on either table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentlens.envs.vector import vector_refusal
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.rollout.recorder import record
from agentlens.rollout.returns import Played, play_returns, slow_because
from agentlens.rollout.stuck import StuckDetector
from agentlens.spec import Phase
from tests.rollout_agents import MEANINGS, tiny_agent


def breakout(folder: Path, **options: Any) -> Agent:
    return tiny_agent(folder, "ALE/Breakout-v5", preset="ale-vector", **options)


def whole(games: tuple[Played, ...]) -> list[tuple[int, str, int]]:
    """What a cut in the middle of a decision leaves alike: all but the last reward."""
    return [(game.steps, game.end, game.digest) for game in games]


@pytest.fixture(scope="module")
def one_by_one(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, ...]:
    """Five Breakout games, each alone on an emulator handle."""
    agent = breakout(tmp_path_factory.mktemp("agent"))
    return play_returns(agent, episodes=5, n_envs=1, vector=False)


def test_they_are_the_recorded_games(tmp_path: Path, one_by_one: tuple[Played, ...]) -> None:
    recording = record(breakout(tmp_path / "agent"), episodes=2, output=tmp_path / "recording")
    for episode, game in zip(recording.episodes, one_by_one[:2], strict=True):
        assert (episode.raw_return, len(episode), episode.end) == (
            game.raw_return, game.steps, game.end
        )  # fmt: skip
    assert len({game.digest for game in one_by_one}) == 5


@pytest.mark.parametrize(("vector", "n_envs"), [(True, 1), (True, 3), (False, 4)])
def test_neither_the_table_nor_its_size_changes_a_game(
    tmp_path: Path, one_by_one: tuple[Played, ...], vector: bool, n_envs: int
) -> None:
    agent = breakout(tmp_path / "agent")
    assert play_returns(agent, episodes=5, n_envs=n_envs, vector=vector) == one_by_one


@pytest.mark.parametrize("env_id", ["ALE/Pong-v5", "ALE/Freeway-v5"])
def test_both_tables_agree_where_the_start_differs(
    tmp_path: Path, env_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MEANINGS, "freeway", ("NOOP", "UP", "DOWN"))
    agent = tiny_agent(tmp_path / "a", env_id, preset="ale-vector", max_frames=800)
    fast = play_returns(agent, episodes=3, n_envs=2, seed=4)
    slow = play_returns(agent, episodes=3, n_envs=2, seed=4, vector=False)
    assert whole(fast) == whole(slow)
    assert {game.end for game in fast} == {"truncated"}


@pytest.mark.parametrize("selection", ["greedy", "epsilon"])
def test_both_tables_agree_however_actions_are_chosen(tmp_path: Path, selection: Any) -> None:
    agent = breakout(tmp_path / "a", selection=selection)
    action = replace(agent.spec.action, epsilon=0.3 if selection == "epsilon" else 0.0)
    agent = replace(agent, spec=replace(agent.spec, action=action))
    fast, slow = (
        play_returns(agent, episodes=2, n_envs=2, stuck_after=150, vector=vector)
        for vector in (True, False)
    )
    assert fast == slow
    assert {game.end for game in fast} <= {"stuck", "terminated"}


def test_an_agent_with_memory_plays_the_recorded_games_too(tmp_path: Path) -> None:
    agent = breakout(tmp_path / "a", state_size=3)
    assert slow_because(agent) == "it has a memory"
    games = play_returns(agent, episodes=2, n_envs=2)
    recording = record(agent, episodes=2, n_envs=2, output=tmp_path / "recording")
    assert [g.raw_return for g in games] == [e.raw_return for e in recording.episodes]


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("environment", {"frame_skip": (2, 4)}),
        ("environment", {"frame_skip": (1, 1)}),
        ("environment", {"repeat_action_probability": 0.25}),
        ("environment", {"start": (Phase(action="FIRE"),)}),
        ("environment", {"after_life_loss": (Phase(action="FIRE"),)}),
        ("environment", {"stack_after_life_loss": "zeros"}),
        ("environment", {"full_action_space": True}),
        ("observation", {"pool": "rgb"}),
        ("observation", {"grayscale": "cv2"}),
        ("observation", {"crop": (0, 200, 0, 160)}),
        ("observation", {"contrast_stretch": True}),
        ("observation", {"interpolation": "cv2-linear"}),
        ("observation", {"stack_fill": "repeat"}),
    ],
)
def test_what_the_vector_environment_cannot_express_is_named(
    tmp_path: Path, section: str, changes: dict[str, Any]
) -> None:
    spec = breakout(tmp_path / "a").spec
    assert vector_refusal(spec) == ""
    changed = replace(getattr(spec, section), **changes)
    name = next(iter(changes))
    assert name.replace("_", " ") in vector_refusal(replace(spec, **{section: changed})).replace(
        "_", " "
    )


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("environment", {"frame_skip": (3, 3), "terminal_on_life_loss": True}),
        ("observation", {"resize": (64, 48), "stack": 2, "scale_divisor": 99.0}),
    ],
)
def test_what_the_vector_environment_can_express_is_played_alike(
    tmp_path: Path, section: str, changes: dict[str, Any]
) -> None:
    agent = breakout(tmp_path / "a", max_frames=600)
    spec = replace(agent.spec, **{section: replace(getattr(agent.spec, section), **changes)})
    agent = Agent(spec=spec, policy=type(agent.policy)(spec), folder=agent.folder)
    assert slow_because(agent) == ""
    assert whole(play_returns(agent, episodes=1)) == whole(
        play_returns(agent, episodes=1, vector=False)
    )


@pytest.mark.parametrize("counts", [{"episodes": 0}, {"episodes": 1, "n_envs": 0}])
def test_no_games_are_refused(tmp_path: Path, counts: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument, match="expected 1 or more"):
        play_returns(breakout(tmp_path / "a"), **counts)


def test_a_stuck_game_shows_nothing_new() -> None:
    planes = np.arange(3, dtype=np.uint8).reshape(3, 1, 1)
    detector = StuckDetector(2)
    seen = [detector.see(planes[i], progress=False) for i in (0, 1, 0, 2, 0)]
    assert seen == [False] * 5
    assert not detector.see(planes[1], progress=True)
    assert [detector.see(planes[1], progress=False) for _ in range(2)] == [False, True]
    assert not any(StuckDetector(0).see(planes[0], progress=False) for _ in range(9))
