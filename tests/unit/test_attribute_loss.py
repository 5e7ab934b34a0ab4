"""A policy that learns to say where objects are: the smallest run, and the loss itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agents.attribute_loss import (
    NOTHING,
    OTHERS,
    PLACES,
    Lesson,
    Material,
    Trial,
    fitted,
    learn,
    prepare,
    summary,
    trials,
)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("loss") / "pong"
    return prepare(record("pong-ppo", output=folder, play=Play(max_steps=100, n_envs=1)))


def test_the_smallest_run(material: Material, capsys: pytest.CaptureFixture[str]) -> None:
    rows = trials(material, Lesson(updates=2, batch=8), seeds=1, states=2)
    assert [row.labels for row in rows] == [NOTHING, PLACES, OTHERS]
    assert rows[0].kl == 0
    assert rows[0].agreement == 1
    assert all(0 < row.mass < 1 and row.kl > 0 for row in rows[1:])
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_without_weight_the_policy_stays_and_with_it_learns(material: Material) -> None:
    drawn = ~material.places.isnan()
    assert float(material.places[drawn].mean()) == pytest.approx(0, abs=1e-5)
    own = material.teacher.state_dict()
    still, _ = learn(material, material.places, Lesson(updates=1, weight=0.0))
    moved, _ = learn(material, material.places, Lesson(updates=1))
    name = next(iter(own))
    assert torch.allclose(still.state_dict()[name], own[name], atol=2e-4)
    assert not torch.equal(moved.state_dict()[name], own[name])


def test_learning_begins_at_a_ridge() -> None:
    generator = torch.Generator().manual_seed(0)
    layer = 50 * torch.randn(300, 6, generator=generator)
    places = layer @ torch.randn(6, 2, generator=generator) / 50 + 3
    head = fitted(layer, places)
    assert torch.allclose(head(layer), places - places.mean(0), atol=0.02)


def test_the_summary_by_hand() -> None:
    rows = [
        Trial(labels=labels, seed=0, kl=0.1, agreement=0.9, mass=mass, places=np.nan)
        for labels, mass in ((NOTHING, 0.20), (PLACES, 0.25), (OTHERS, 0.21), (PLACES, 0.23))
    ]
    assert summary(rows) == (
        "mass on objects, 20.0 % before: places +4.0 points (+5.0, +3.0); places of other steps "
        "+1.0 points (+1.0)"
    )
