"""The score of an agent: known returns of hand-made agents, and what is said about them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlens import cli
from agentlens.cli.score import score_lines
from agentlens.comparison.statistics import Interval
from agentlens.policies.agent import Agent, random_agent
from agentlens.policies.constant import ConstantPolicy
from agentlens.policies.importing import import_agent
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.play import Play
from agentlens.rollout.returns import Played
from agentlens.rollout.selection import ROUNDING, Draw, choose_action, draw_chances, is_close, pick
from agentlens.spec import ActionSpec, ScoreSpec
from agentlens.workflows.score import Score, score
from tests.unit.conftest import TINY_RECIPE

NAMES = ("NOOP", "FIRE", "RIGHT", "LEFT")


def always(action: str, env_id: str, **changes: Any) -> Agent:
    """An agent that presses one button."""
    agent = random_agent(env_id, preset="ale-vector")
    spec = replace(agent.spec, action=replace(agent.spec.action, selection="greedy"), **changes)
    logits = tuple(float(name == action) for name in spec.action.meanings)
    return replace(agent, spec=spec, policy=ConstantPolicy(spec, logits))


def test_a_paddle_that_never_moves_loses_every_point() -> None:
    measured = score(always("NOOP", "ALE/Pong-v5"), play=Play(episodes=3, n_envs=3))
    assert [game.raw_return for game in measured.games] == [-21.0] * 3
    assert (measured.interval.estimate, measured.sd) == (-21.0, 0.0)


def test_the_same_game_again_is_counted_once() -> None:
    agent = always("NOOP", "ALE/Pong-v5")
    start = tuple(replace(phase, least=1, most=1) for phase in agent.spec.environment.start)
    spec = replace(agent.spec, environment=replace(agent.spec.environment, start=start))
    measured = score(replace(agent, spec=spec), play=Play(episodes=2, n_envs=2))
    assert measured.distinct == 1
    lines = "\n".join(score_lines(measured))
    assert "1 distinct" in lines
    assert "games repeat" in lines


def measured(returns: list[float], ends: list[str], card: ScoreSpec | None = None) -> Score:
    spec = replace(random_agent("ALE/Pong-v5", preset="ale-vector").spec, score=card)
    games = tuple(
        Played(raw_return=r, steps=9, end=end, digest=i)
        for i, (r, end) in enumerate(zip(returns, ends, strict=True))
    )
    interval = Interval(estimate=5.0, low=2.0, high=8.0, level=0.95, units=len(returns))
    return Score(
        spec=spec,
        games=games,
        interval=interval,
        sd=4.0,
        distinct=len(games),
        seed=3,
    )


def test_lines_say_protocol_interval_and_what_was_cut() -> None:
    lines = score_lines(measured([1.0, 9.0, 5.0], ["terminated", "stuck", "stuck"]))
    assert lines == [
        "score: +5.0 (sd 4.0; 95 % interval +2.0 to +8.0)",
        "games: 3 whole games by index from seed 3, raw return +1 to +9, 3 distinct",
        "warning: 2 of them did not end by themselves (stuck).",
    ]


@pytest.mark.parametrize(("mean", "verdict"), [(2.0, "within"), (8.1, "outside")])
def test_the_card_is_confirmed_or_not(mean: float, verdict: str) -> None:
    card = ScoreSpec(mean=mean, sd=1.0, episodes=20, protocol="as here")
    said = score_lines(measured([1.0, 9.0], ["terminated"] * 2, card))[-1]
    assert (
        said == f"the agent's card says {mean:+.1f} (sd 1.0, 20 episodes): {verdict} this interval"
    )


def test_one_game_has_no_interval() -> None:
    assert "no interval from one game" in score_lines(measured([5.0], ["terminated"]))[0]


# --- choices that rounding could change --------------------------------------------------------


def logits(*values: float) -> Outputs:
    return Outputs(np.array(values, np.float32), "logits")


def test_a_choice_is_close_only_near_its_boundary() -> None:
    sample = ActionSpec(meanings=NAMES[:2], selection="sample")
    half = logits(0.0, 0.0)
    assert [pick(sample, half, Draw(u, -1)) for u in (0.499, 0.501)] == [0, 1]
    assert [is_close(sample, half, Draw(u, -1)) for u in (0.4, 0.499999, 0.500001, 0.6)] == [
        False,
        True,
        True,
        False,
    ]
    greedy = ActionSpec(meanings=NAMES[:2], selection="greedy")
    assert not is_close(greedy, logits(1.0, 1.1), Draw(0.0, -1))
    assert is_close(greedy, logits(1.0, 1.0), Draw(0.0, -1))
    assert not is_close(greedy, logits(1.0), Draw(0.0, -1))
    assert not is_close(sample, half, Draw(0.5, 1))


@given(
    values=st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=6),
    uniform=st.floats(0, 1, exclude_max=True),
    selection=st.sampled_from(["sample", "greedy"]),
    seed=st.integers(0, 1000),
)
def test_rounding_changes_no_choice_that_is_not_close(
    values: list[float], uniform: float, selection: Any, seed: int
) -> None:
    names = tuple(f"#{i}" for i in range(len(values)))
    action = ActionSpec(meanings=names, selection=selection)
    said, draw = np.array(values, np.float32), Draw(uniform, -1)
    size = 0.9 * ROUNDING * max(1.0, float(np.abs(said).max()))
    noise = np.random.default_rng(seed).uniform(-size, size, len(values))
    rounded = Outputs(said.astype(np.float64) + noise, "logits")
    if not is_close(action, logits(*values), draw):
        assert pick(action, rounded, draw) == pick(action, logits(*values), draw)


@pytest.mark.parametrize("selection", ["sample", "greedy", "epsilon"])
def test_drawing_first_and_picking_then_is_choosing(selection: Any) -> None:
    action = ActionSpec(meanings=NAMES, selection=selection, epsilon=0.5)
    said = logits(0.1, 0.3, 0.2, 0.0)
    one, two = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(50):
        assert choose_action(action, said, one) == pick(action, said, draw_chances(action, two))


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def tiny_folder(tiny_checkpoint: Path) -> Path:
    """The tiny Breakout agent, imported with the preset ale-vector."""
    recipe = tiny_checkpoint.with_suffix(".toml")
    recipe.write_text(TINY_RECIPE.replace("ale-v5", "ale-vector"))
    return import_agent(
        tiny_checkpoint, tiny_checkpoint.parent / "agents" / "tiny", manifest=recipe
    )


AT_RANDOM = ("--episodes", "2", "--selection", "epsilon", "--epsilon", "1", "--threads", "1")


def test_the_command_prints_protocol_path_and_score(tiny_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "agentlens", "score", str(tiny_folder), *AT_RANDOM],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    agent, protocol, mean, games = done.stdout.splitlines()
    assert agent == "agent: tiny (safetensors)"
    assert protocol.startswith("protocol: ALE/Breakout-v5, frame skip 4, sticky 0")
    assert mean.startswith("score: +")
    assert games.startswith("games: 2 whole games by index from seed 0, raw return +")
    assert games.endswith(", 2 distinct")


def test_bad_counts_are_one_sentence(tiny_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", str(tiny_folder), "--episodes", "0", "--threads", "1"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "episodes 0: expected an integer from 1" in printed.err
