"""LIME: the regression by hand, superpixels that follow edges, and a planted object."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, MissingExtra
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.lime import Lime
from agentlens.saliency.methods.lime.superpixels import RIDGE, coefficients
from tests.tiny import LinearPolicy

FACTS = RecordingFacts()

pytest.importorskip("skimage")
SHAPE = (2, 24, 24)
ONE = Compute(threads=1)


def scene() -> FrameBatch:
    """A bright block in the left upper quarter of both frames on a dim background."""
    observation = torch.full((1, *SHAPE), 0.2)
    observation[:, :, 4:10, 4:10] = 1.0
    return FrameBatch(
        observations=observation,
        actions=torch.tensor([0]),
        states=None,
        episodes=np.array([0]),
        steps=np.array([3]),
    )


def test_the_regression_is_the_weighted_ridge_of_the_definition() -> None:
    generator = np.random.default_rng(0)
    hidden = generator.random((60, 5)) < 0.5
    scores = generator.standard_normal((2, 60))
    found = coefficients(hidden, scores)
    weight = np.exp(-((1 - np.sqrt(1 - hidden.mean(1))) ** 2) / (2 * 0.25**2))
    # the same minimum with the intercept as a column of its own, which ridge leaves alone
    design = np.column_stack([hidden, np.ones(60)])
    normal = design.T @ (weight[:, None] * design) + RIDGE * np.diag([1, 1, 1, 1, 1, 0])
    for one, score in zip(found, scores, strict=True):
        expected = np.linalg.solve(normal, design.T @ (weight * score))[:5]
        np.testing.assert_allclose(one, expected, rtol=1e-9)


def test_scores_that_add_up_are_found_again() -> None:
    hidden = np.random.default_rng(1).random((4000, 4)) < 0.5
    found = coefficients(hidden, hidden @ np.array([3.0, 0.0, -1.0, 0.5]) + 7)
    np.testing.assert_allclose(found, [3.0, 0.0, -1.0, 0.5], atol=0.01)


def test_the_object_that_the_critic_reads_stands_out() -> None:
    value = torch.zeros(SHAPE)
    value[1, 4:10, 4:10] = 1.0
    policy = LinearPolicy(torch.zeros(2, *SHAPE), None, value)
    method = Lime(targets=("value",), segments=16, samples=400)
    maps = method.bind(policy, ONE, FACTS)(scene()).values[0, 0, 0]
    inside = torch.zeros(SHAPE[1:], dtype=torch.bool)
    inside[4:10, 4:10] = True
    # SLIC follows the block's edges, so nothing outside shares its superpixels
    assert maps[inside].min() > 0.5
    assert maps[~inside].abs().max() < 0.1 * maps[inside].max()
    # hiding all 36 pixels of the block takes 36 from the value
    sizes = maps[inside].unique(return_counts=True)
    assert float(sizes[0].sum()) == pytest.approx(36, rel=0.1)
    other = Lime(targets=("value",), segments=16, samples=400, planes="each")
    each = other.bind(policy, ONE, FACTS)(scene()).values[0, 0]
    assert each[0].abs().max() == 0
    torch.testing.assert_close(each[1], maps, rtol=1e-3, atol=1e-3)


def test_a_flat_screen_has_superpixels_too() -> None:
    frames = scene()
    frames.observations.fill_(0.5)
    policy = LinearPolicy(torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0)))
    maps = Lime(segments=9, samples=20).bind(policy, ONE, FACTS)(frames).values
    assert torch.isfinite(maps).all()
    assert maps.abs().max() > 0


@pytest.mark.parametrize("options", [{"segments": 0}, {"samples": 1}, {"compactness": 0.0}])
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InvalidArgument, match="expected"):
        Lime(**options)


def test_a_missing_scikit_image_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    with pytest.raises(MissingExtra, match=r"agentlens\[lime\]"):
        Lime().bind(LinearPolicy(torch.zeros(2, *SHAPE)), ONE, FACTS)
