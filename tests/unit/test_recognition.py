"""Probes of what a layer holds: planted layers, and a ball taken out of sight."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.network.recognition import failure_auc, probe
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.workflows.recognise import recognise

STEPS = 400


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A layer that holds two coordinates among noise."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(STEPS, 2)) * [10, 3] + [80, 100]
    layer = rng.normal(size=(STEPS, 20))
    layer[:, :2] = places @ np.array([[1.0, 0.5], [0.0, 2.0]])
    return layer, places


def test_a_planted_place_is_read_and_other_steps_are_not() -> None:
    layer, places = planted()
    found = probe(layer, places)
    assert found.fit > 0.99
    assert found.errors.shape == (STEPS,)
    assert probe(layer, np.roll(places, STEPS // 2, axis=0)).fit < 0.1
    assert probe(np.ones((STEPS, 3)), places).fit == pytest.approx(0, abs=0.05)


def test_fits_do_not_depend_on_units_or_shifts() -> None:
    layer, places = planted()
    assert probe(layer, places).fit == pytest.approx(probe(7 * layer - 3, places / 9 + 1).fit)


def test_where_the_layer_loses_the_place_errors_say_so() -> None:
    layer, places = planted()
    failing = np.zeros(STEPS, np.bool_)
    failing[100:120] = failing[300:320] = True
    layer[failing, :2] = layer[~failing, :2].mean(0)
    errors = probe(layer, places).errors
    assert failure_auc(errors, failing) > 0.9


def test_the_area_is_that_of_all_pairs() -> None:
    errors = np.array([3.0, 1.0, 2.0, 2.0])
    failing = np.array([True, False, True, False])
    assert failure_auc(errors, failing) == (1 + 1 + 1 + 0.5) / 4
    assert math.isnan(failure_auc(errors, np.zeros(4, np.bool_)))


def test_what_cannot_be_probed_is_refused() -> None:
    layer, places = planted()
    with pytest.raises(InvalidArgument, match="50 steps or more"):
        probe(layer[:40], places[:40])
    with pytest.raises(InvalidArgument, match="coordinates that change"):
        probe(layer, np.ones((STEPS, 1)))


def test_a_ball_taken_out_of_sight_comes_out_worst(tmp_path: Path) -> None:
    recording = record("pong-ppo", output=tmp_path / "pong", play=Play(max_steps=900, n_envs=1))
    with pytest.raises(UnknownName, match="bal"):
        recognise(recording, corrupt="bal")
    result = recognise(recording, corrupt="ball")
    assert result.objects[0].name == "ball"
    assert result.objects[0].failure >= 0.8
    assert {row.name for row in result.objects} == {"ball", "own paddle", "opponent"}
