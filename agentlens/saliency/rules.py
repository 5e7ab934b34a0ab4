"""The rules of the gradient methods: from gradients to one frame's attribution.

Shape letters: T targets, N points, K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from agentlens.saliency.base import FrameBatch
from agentlens.saliency.gradients import Gradient
from agentlens.saliency.references import Reference, counted_generator


def magnitude(frame: FrameBatch, gradient: Gradient) -> Tensor:
    """|gradient| at the observation."""
    return gradient(frame.observations)[:, 0].abs()


def times_input(frame: FrameBatch, gradient: Gradient) -> Tensor:
    """Gradient times observation."""
    return gradient(frame.observations)[:, 0] * frame.observations


@dataclass(frozen=True, kw_only=True, eq=False)
class AlongPath:
    """Integrated gradients from ``reference`` to the observation, ``steps`` Gauss-Legendre
    points."""

    reference: Reference
    pictures: Mapping[str, np.ndarray]
    steps: int

    def __call__(self, frame: FrameBatch, gradient: Gradient) -> Tensor:
        """(o - r) times the mean gradient on the straight way from r to o."""
        observation = frame.observations
        start = self.reference.fill(frame, self.pictures)
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        share = observation.new_tensor((1 + nodes) / 2)[:, None, None, None]
        found = gradient(start + share * (observation - start))
        weight = observation.new_tensor(weights / 2)[:, None, None, None]
        mean: Tensor = (found * weight).sum(1)
        return mean * (observation - start)


@dataclass(frozen=True, kw_only=True, eq=False)
class Smoothed:
    """Mean |gradient| over noisy copies; the noise depends on seed, episode and step alone."""

    samples: int
    share: float
    seed: int

    def __call__(self, frame: FrameBatch, gradient: Gradient) -> Tensor:
        """Noise of ``share`` times the frame's range, added ``samples`` times."""
        observation = frame.observations
        generator = counted_generator(self.seed, int(frame.episodes[0]), int(frame.steps[0]))
        shape = (self.samples, *observation.shape[1:])
        noise = observation.new_tensor(generator.standard_normal(shape, np.float32))
        sigma = self.share * (observation.max() - observation.min())
        return gradient(observation + sigma * noise).abs().mean(1)
