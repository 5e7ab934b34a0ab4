"""Dissection against hand values, a planted detector, and controls that must show nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import ShapeError
from agentlens.network.dissect import (
    attribute_auc,
    best_matches,
    mask_iou,
    soft_wpmi,
    spatial_matches,
    vector_matches,
)


def moving_square(steps: int = 60, size: int = 24) -> np.ndarray:
    """A 6 x 6 square that moves: bool [T, H, W]."""
    masks = np.zeros((steps, size, size), bool)
    for step in range(steps):
        row, column = (7 * step) % (size - 6), (5 * step) % (size - 6)
        masks[step, row : row + 6, column : column + 6] = True
    return masks


def test_iou_by_hand() -> None:
    activations = np.zeros((1, 1, 2, 2), np.float32)
    activations[0, 0, 0, :] = 1  # the upper half is on
    masks = np.zeros((1, 1, 2, 2), bool)
    masks[0, 0, :, 0] = True  # the left half is meant
    assert mask_iou(activations, masks, [0.4])[0, 0] == pytest.approx(1 / 3)


def test_values_are_spread_between_the_centres_of_what_they_see() -> None:
    activations = np.array([1, 0], np.float32).reshape(1, 1, 2, 1)
    masks = np.zeros((1, 1, 20, 1), bool)
    masks[0, 0, :11] = True
    # between rows 5 and 15 the value falls from 1 to 0: above .45 up to row 10
    centres = np.array([5.0, 15.0]), np.array([0.0])
    assert mask_iou(activations, masks, [0.45], centres)[0, 0] == 1
    # spread evenly it falls between rows 4.5 and 14.5
    assert mask_iou(activations, masks, [0.45])[0, 0] == pytest.approx(10 / 11)


def test_a_planted_detector_is_found_and_its_twin_and_other_steps_are_not() -> None:
    generator = np.random.default_rng(0)
    square, other = moving_square(), moving_square()[::-1].copy()
    own = generator.normal(size=(60, 5, 24, 24)).astype(np.float32)
    own[:, 3] = 10 * square
    twin = generator.normal(size=(60, 5, 24, 24)).astype(np.float32)
    # the detector is on wherever the square is: 36 of 576 pixels, more than 1 - .98 of them
    matches = spatial_matches(own, twin, {"square": square, "other": other})
    best = max(matches, key=lambda m: m.excess)
    assert (best.unit, best.concept) == (3, "square")
    assert best.score >= 0.8
    assert best.twin < 0.1
    assert best.shuffled < 0.5
    assert all(m.excess < 0.05 for m in matches if m.unit != 3)


def test_auc_by_hand_and_turned_round() -> None:
    activations = np.array([[1.0, -1.0], [2.0, -2.0], [3.0, -3.0], [4.0, -4.0]])
    attribute = np.array([[False], [True], [False], [True]])
    # of the four pairs three are in order
    np.testing.assert_allclose(attribute_auc(activations, attribute), [[0.75], [0.75]])
    assert attribute_auc(activations, np.ones((4, 1), bool))[0, 0] == 0.5


def test_auc_of_ties_is_a_half() -> None:
    assert attribute_auc(np.ones((6, 1)), np.arange(6)[:, None] < 2)[0, 0] == 0.5


def test_vector_matches_find_a_planted_unit() -> None:
    generator = np.random.default_rng(1)
    own, twin = generator.normal(size=(2, 300, 8))
    above = np.sin(np.arange(300) / 5) > 0
    own[:, 6] += 4 * above
    best = max(vector_matches(own, twin, {"above": above}), key=lambda m: m.excess)
    assert best.unit == 6
    assert best.score > 0.95
    assert best.twin < 0.65
    assert best.stands_for == "above"


def test_a_unit_that_falls_with_an_attribute_does_not_stand_for_it() -> None:
    held = np.array([True, False, True, False])
    own, twin = np.where(held, 0.0, 1.0)[:, None], np.zeros((4, 1))
    (match,) = vector_matches(own, twin, {"above": held})
    assert (match.score, match.rises, match.stands_for) == (1.0, False, "not: above")


def test_soft_wpmi_prefers_the_concept_that_is_rare_elsewhere() -> None:
    activations = np.concatenate([np.ones(10), np.zeros(90)])[:, None]
    rare = np.concatenate([np.ones(10), np.zeros(90)])
    common = np.ones(100)
    scores = soft_wpmi(activations, np.stack([rare, common], 1), top=10)
    assert scores[0, 0] > scores[0, 1] + 1


def test_best_matches_go_by_excess() -> None:
    scores = np.array([[0.5, 0.4]])
    matches = best_matches(scores, np.array([[0.45, 0.1]]), np.zeros((1, 2)), ("a", "b"))
    assert matches[0].concept == "b"
    assert matches[0].excess == pytest.approx(0.3)
    assert matches[0].purity == pytest.approx(-0.1)


def test_other_steps_are_refused() -> None:
    with pytest.raises(ShapeError, match="same steps"):
        mask_iou(np.zeros((3, 1, 2, 2)), np.zeros((4, 1, 2, 2), bool))


def test_a_planted_colour_filter_is_found_by_name_and_no_unit_on_shuffled_masks() -> None:
    square, other = moving_square(), moving_square()[::-1].copy()
    frames = np.random.default_rng(3).uniform(0.0, 0.2, (60, 1, 24, 24)).astype(np.float32)
    frames[:, 0][other] = 0.5
    frames[:, 0][square] = 0.9  # only this colour passes the planted filter's bias
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        own, twin = (torch.nn.Conv2d(1, 32, 3, padding=1) for _ in range(2))
    with torch.no_grad():
        own.weight[7] = 0
        own.weight[7, 0, 1, 1], own.bias[7] = 1, -0.7
        values = [f(torch.from_numpy(frames)).relu().numpy() for f in (own, twin)]
    matches = spatial_matches(*values, {"square": square, "other": other})
    best = max(matches, key=lambda m: m.excess)
    assert (best.unit, best.concept) == (7, "square")
    assert best.score >= 0.8
    masks = np.stack([square, other], 1)
    shuffled = masks[np.random.default_rng(4).permutation(60)]
    untrained = np.quantile(mask_iou(values[1], masks), 0.99)
    assert mask_iou(values[0], shuffled).max() < untrained
