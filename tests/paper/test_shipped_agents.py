"""The agents that ship with the project: they play, their cards agree with their manifests."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.constant import ConstantPolicy
from agentlens.policies.manifest import read_manifest
from agentlens.rollout.play import Play
from agentlens.rollout.returns import play_returns
from tests.conftest import REPOSITORY

AGENTS = REPOSITORY / "agents"
SHIPPED = sorted(path.parent.name for path in AGENTS.glob("*/agent.toml"))
LEARNED = [name for name in SHIPPED if name != "breakout-ppo-ladder-1"]
"""The first rung of the ladder was taken before it had learned much."""
GAMES, FRAMES = 12, 2_000
"""Games of each, cut after so many emulator frames (500 decisions): half a minute each in Pong."""
LIMIT_BYTES = 60_000_000


def returns(agent: Agent) -> np.ndarray:
    """Raw points within the first frames of some games, float64 [games]."""
    environment = replace(agent.spec.environment, max_frames=FRAMES)
    cut = replace(agent, spec=replace(agent.spec, environment=environment))
    played = play_returns(cut, play=Play(episodes=GAMES, n_envs=GAMES, seed=1))
    return np.array([game.raw_return for game in played])


def at_random(agent: Agent) -> Agent:
    """The same protocol with every action equally likely."""
    spec = replace(agent.spec, action=replace(agent.spec.action, selection="sample"))
    return Agent(spec=spec, policy=ConstantPolicy(spec, (0.0,) * len(spec.action.meanings)))


@pytest.mark.parametrize("name", LEARNED)
def test_a_shipped_agent_beats_chance_by_five_standard_errors(name: str) -> None:
    agent = load_agent(AGENTS / name)
    ours, chance = returns(agent), returns(at_random(agent))
    error = math.sqrt((ours.var(ddof=1) + chance.var(ddof=1)) / GAMES)
    assert ours.mean() - chance.mean() > 5 * error


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_what_the_manifest_says(name: str) -> None:
    spec = read_manifest(AGENTS / name / "agent.toml")
    card = (AGENTS / name / "README.md").read_text("utf-8")
    score = spec.score
    assert score is not None
    assert score.sd is not None
    assert score.episodes is not None
    assert score.episodes >= 20
    assert score.distinct == score.episodes
    assert f"| {score.mean:+.1f} | {score.sd:.1f} | " in card
    assert f"| {score.episodes} ({score.distinct} distinct) |" in card
    assert spec.licence in card
    assert spec.assumed == ()
    for word in card.replace("(", " ").replace(")", " ").split():
        assert not word.endswith(".png") or (AGENTS / name / word).is_file()


def test_agents_with_weights_are_packaged() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    packaged = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert sorted(Path(path).name for path in packaged) == SHIPPED


def test_agents_stay_small() -> None:
    files = [path for path in AGENTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LIMIT_BYTES
