"""Integrated gradients from a named baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.attribution import Attribution, PointOutputs
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import GradientOptions, ReferenceOptions
from agentlens.saliency.references import Reference, parse_reference

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.policies.base import Policy

FEWEST_STEPS, MOST_STEPS = 50, 400
SHARE, SHARE_OF_MASS = 0.01, 0.001
"""A sum may miss the output's difference by this share of it, or this share of the map's mass where
that is more: what adds up to nearly nothing has no share to keep."""


@dataclass(frozen=True, kw_only=True)
class IntegratedGradients(ReferenceOptions, GradientOptions, SaliencyMethod):
    """What each pixel adds to an output on the way from a reference to the observation, signed.

    Sums to the output's difference between the two, to the quadrature's precision.

    Notes:
        ``steps`` forward and as many backward passes a step and target.

    References:
        Sundararajan et al. 2017, equation 1, by Gauss-Legendre quadrature.
    """

    summary: ClassVar[str] = "what each pixel adds between a reference and the observation, signed"
    paper: ClassVar[str] = "Sundararajan et al. 2017"
    weakness: ClassVar[str] = (
        "what equals the reference can never matter: the reference is part of the answer"
    )

    steps: int | None = None
    """Points on the way; if not given they are doubled from 50 up to 400 until the sum misses the
    output's difference by no more than 1 %."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps is not None and self.steps < 1:
            raise InvalidArgument(f"{self.steps} steps: expected 1 or more.")

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import GradientExplainer, MapMeaning

        return GradientExplainer(
            policy,
            compute,
            facts,
            self,
            AlongPath(
                reference=parse_reference(self.reference),
                pictures=facts.pictures,
                steps=self.steps,
            ),
            MapMeaning(
                signed=True,
                per_unit=False,
                meaning="positive: this pixel, against the reference, raises the output",
                passes=3 + 2 * (self.steps or FEWEST_STEPS),
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class AlongPath:
    """Integrated gradients from ``reference`` to the observation, ``steps`` Gauss-Legendre points,
    or as many as completeness takes."""

    reference: Reference
    pictures: Mapping[str, np.ndarray]
    steps: int | None

    def __call__(self, frame: FrameBatch, outputs: PointOutputs) -> Attribution:
        """(o - r) times the mean gradient on the straight way from r to o."""
        observation = frame.observations
        start = self.reference.fill(frame, self.pictures)
        difference = outputs.values(observation)[:, 0] - outputs.values(start)[:, 0]
        count = self.steps or FEWEST_STEPS
        while True:
            values = _integral(outputs, start, observation, count)
            gaps = (values.double().sum((1, 2, 3)) - difference).abs()
            mass = values.double().abs().sum((1, 2, 3))
            allowed = (SHARE * difference.abs()).maximum(SHARE_OF_MASS * mass)
            if self.steps or count >= MOST_STEPS or bool((gaps <= allowed).all()):
                return Attribution(values, gaps)
            count *= 2


def _integral(outputs: PointOutputs, start: Tensor, observation: Tensor, count: int) -> Tensor:
    """The attribution [T, K, H, W] of ``count`` Gauss-Legendre points."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    share = observation.new_tensor((1 + nodes) / 2)[:, None, None, None]
    gradients = outputs.gradients(start + share * (observation - start))
    weight = observation.new_tensor(weights / 2)[:, None, None, None]
    mean: Tensor = (gradients * weight).sum(1)
    return mean * (observation - start)


METHOD = IntegratedGradients
