"""Spectral filtering of features: hand values, and the weakness that is said of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.spectral import Spectral
from agentlens.saliency.methods.spectral.explainer import coarse_times_fine
from tests.planted import SmallPolicy


def test_a_wave_passes_both_filters_by_what_the_gaussians_leave_of_it() -> None:
    columns = torch.arange(16, dtype=torch.float64)
    wave = torch.cos(2 * torch.pi * columns * 4 / 16).expand(1, 16, 16)  # a quarter cycle
    low, high = np.exp(-(0.25**2) / (2 * 0.15**2)), 1 - np.exp(-(0.25**2) / (2 * 0.05**2))
    expected = low * high * wave.square()
    torch.testing.assert_close(coarse_times_fine(wave, 0.15, 0.05), expected)


def test_features_that_are_all_alike_have_nothing_fine() -> None:
    assert coarse_times_fine(torch.full((2, 8, 8), 3.0), 0.15, 0.05).abs().max() < 1e-12


def explained(policy: SmallPolicy, observation: torch.Tensor, method: Spectral) -> np.ndarray:
    frames = FrameBatch(
        observations=observation,
        actions=torch.zeros(1, dtype=torch.int64),
        states=None,
        episodes=np.zeros(1, np.int64),
        steps=np.zeros(1, np.int64),
    )
    facts = RecordingFacts(pictures={})
    return method.bind(policy, Compute(threads=1), facts)(frames).values[0, 0, 0].numpy()


def planted() -> SmallPolicy:
    """One convolution that copies what it sees, pixel by pixel."""
    convolution = nn.Conv2d(1, 1, 1)
    policy = SmallPolicy([convolution], nn.ReLU(), (1, 20, 20))
    convolution.weight.fill_(1.0)
    assert convolution.bias is not None
    convolution.bias.fill_(0.0)
    return policy


@pytest.mark.parametrize("targeted", [False, True])
def test_a_bright_patch_is_where_the_map_peaks_whatever_the_head(targeted: bool) -> None:
    observation = torch.full((1, 1, 20, 20), 0.2)
    observation[0, 0, 5:8, 11:14] = 1.0
    policy, method = planted(), Spectral(targeted=targeted)
    values = explained(policy, observation, method)
    assert np.unravel_index(values.argmax(), values.shape) == (6, 12)
    policy.actor.weight.zero_()
    np.testing.assert_array_equal(explained(policy, observation, method), values)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="coarse 0"):
        Spectral(coarse=0)
    with pytest.raises(InvalidArgument, match="layer 1"):
        explained(planted(), torch.zeros(1, 1, 20, 20), Spectral(layer=1))
