"""Attention that is right for the wrong place: the counts, the weighings, the published sign."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.workflows.bench_attention import AttentionPlan, bench_attention, mosaics
from agentlens.workflows.bench_focus import (
    MODES,
    SEGMENTS,
    bench_focus,
    points,
    sparsemax,
    spherical_softmax,
)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_points_lie_in_their_boxes(mode: int) -> None:
    segments, classes, places = points(mode, 200, np.random.default_rng(0))
    own = segments[torch.arange(200), places].numpy()
    boxes = np.array(MODES[mode].foreground)[classes.numpy()]
    assert segments.shape == (200, SEGMENTS, 2)
    assert (own >= boxes[:, [0, 2]] - 1e-5).all()
    assert (own <= boxes[:, [1, 3]] + 1e-5).all()
    left, right, _, top = MODES[mode].background
    others = torch.ones(200, SEGMENTS, dtype=torch.bool)
    others[torch.arange(200), places] = False
    elsewhere = segments[others].numpy()
    assert (elsewhere[:, 0] >= left).all()
    assert (elsewhere <= [right, top]).all()


def test_there_are_three_modes() -> None:
    with pytest.raises(InvalidArgument, match="1, 2 or 3"):
        points(4, 1, np.random.default_rng(0))


def test_sparsemax_by_hand() -> None:
    # Both scores stay where they differ by less than 1; the smaller is cut to 0 otherwise.
    weights = sparsemax(torch.tensor([[0.6, 0.2], [3.0, 1.0], [1.0, 1.0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.7, 0.3], [1.0, 0.0], [0.5, 0.5]]))


def test_spherical_softmax_by_hand() -> None:
    weights = spherical_softmax(torch.tensor([[3.0, -1.0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.9, 0.1]]), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("mode", "seed"), [(1, 4), (2, 0), (3, 1)])
def test_right_with_the_focus_wrong_in_part_of_the_cases(mode: int, seed: int) -> None:
    focus = bench_focus(mode, seed)
    assert focus.states == 1000
    assert focus.accuracy >= 0.99
    share = focus.focus_true_right / focus.states
    assert 0.6 <= share <= 0.9
    assert focus.focus_false_right >= 100


def test_mosaics_come_with_what_decides() -> None:
    cells, actions, places = mosaics(150, 3)
    assert cells.shape == (150, 9, 400)
    assert set(actions.tolist()) == set(range(4))
    assert set(places.tolist()) == set(range(9))
    assert torch.equal(mosaics(150, 3)[0], cells)


def test_averaging_later_keeps_the_focus_where_averaging_the_input_loses_it() -> None:
    at_input, later = (bench_attention(AttentionPlan(place=p), 1) for p in ("input", "late"))
    assert min(at_input.accuracy, later.accuracy) >= 0.99
    assert at_input.focus_true_right / at_input.states < 0.9
    assert later.focus_true_right / later.states >= 0.99
