"""A clone that plays by a hint: it obeys it, is lost without, and maps show it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.workflows.bench_hint import (
    NEVER,
    TAKEN,
    WITH,
    Clone,
    Hint,
    HintedPlay,
    HintPlan,
    bench_hint,
)
from tests.rollout_agents import tiny_agent


def test_a_clone_obeys_the_hint_and_maps_find_it(tmp_path: Path) -> None:
    recording = record("pong-ppo", output=tmp_path / "r", play=Play(max_steps=300, seed=1))
    plan = HintPlan(updates=160, batch=32, games=0, frames=15)
    result = bench_hint(
        recording, [Perturbation(stride=4), "random"], plan, compute=Compute(threads=1)
    )
    assert result.returns == {}
    assert result.agreement[WITH] >= 0.9
    assert result.agreement[TAKEN] < result.agreement[WITH] - 0.3
    assert NEVER in result.agreement
    assert result.decisive >= 10
    perturbation, random = result.scores
    assert perturbation.near >= 0.95
    assert random.near <= 0.3


def test_hints_lie_apart_and_stand_out() -> None:
    median = np.zeros((84, 84), np.float32)
    median[70:, :30] = 1.0
    hint = Hint.over(median, 6)
    painted = hint.paint(torch.from_numpy(np.stack([median] * 4))[None], torch.tensor([0]))
    changed = np.flatnonzero((painted[0, -1].numpy() != median).any(0))
    assert changed.tolist() == [3, 4, 5, 6]
    assert (painted[0, :-1].numpy() == median).all()
    assert hint.brightness.tolist() == [0, 0, 0, 0, 1, 1]
    distance = hint.distance(0)
    assert distance[hint.place(0)].max() == 0
    assert distance[78, 12] == 6.0
    with pytest.raises(InvalidArgument, match="no place"):
        Hint.over(median, 11)


def test_in_play_the_hint_is_the_teachers_answer(tmp_path: Path) -> None:
    teacher = tiny_agent(tmp_path / "a").policy
    clone = Clone(teacher, 0).eval()
    hint = Hint.over(np.zeros((84, 84), np.float32), len(teacher.action_meanings))
    seen = torch.rand(3, *teacher.observation_shape)
    wanted = teacher(seen).preferences.argmax(-1)
    played = HintedPlay(teacher, clone, hint)(seen).preferences
    torch.testing.assert_close(played, clone(hint.paint(seen, wanted)).preferences)


def test_an_agent_with_a_memory_is_refused(tmp_path: Path) -> None:
    recording = record("pong-recurrent", output=tmp_path / "r", play=Play(max_steps=20))
    with pytest.raises(InvalidArgument, match="memory"):
        bench_hint(recording)
    with pytest.raises(InvalidArgument, match="updates"):
        HintPlan(updates=0)
