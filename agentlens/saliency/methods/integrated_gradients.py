"""Integrated gradients from a named baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import GradientOptions, ReferenceOptions
from agentlens.saliency.references import Reference, parse_reference

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.policies.base import Policy
    from agentlens.saliency.base import FrameBatch
    from agentlens.saliency.gradients import Gradient as GradientAt


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

    steps: int = 50
    """Points on the way."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
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
                passes=1 + 2 * self.steps,
            ),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class AlongPath:
    """Integrated gradients from ``reference`` to the observation, ``steps`` Gauss-Legendre
    points."""

    reference: Reference
    pictures: Mapping[str, np.ndarray]
    steps: int

    def __call__(self, frame: FrameBatch, gradient: GradientAt) -> Tensor:
        """(o - r) times the mean gradient on the straight way from r to o."""
        observation = frame.observations
        start = self.reference.fill(frame, self.pictures)
        nodes, weights = np.polynomial.legendre.leggauss(self.steps)
        share = observation.new_tensor((1 + nodes) / 2)[:, None, None, None]
        found = gradient(start + share * (observation - start))
        weight = observation.new_tensor(weights / 2)[:, None, None, None]
        mean: Tensor = (found * weight).sum(1)
        return mean * (observation - start)


METHOD = IntegratedGradients
