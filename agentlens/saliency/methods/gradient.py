"""Gradient: the sensitivity of an output to every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.attribution import Attribution, PointOutputs
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import GradientOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Gradient(GradientOptions, SaliencyMethod):
    """The size of an output's derivative with respect to every pixel.

    Notes:
        1 forward and 1 backward pass a step and target (counted as 3 with the unperturbed one).

    References:
        Simonyan et al. 2014, equation 3, the largest over the stack taken for ``planes="all"``.
    """

    summary: ClassVar[str] = "how sensitive an output is to each pixel"
    paper: ClassVar[str] = "Simonyan et al. 2014"
    weakness: ClassVar[str] = "noisy; sees infinitely small changes, which no game makes"

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import GradientExplainer, MapMeaning

        return GradientExplainer(
            policy,
            compute,
            facts,
            self,
            magnitude,
            MapMeaning(
                signed=False,
                per_unit=True,
                meaning="a small change of this pixel moves the output much",
                passes=3,
            ),
        )


def magnitude(frame: FrameBatch, outputs: PointOutputs) -> Attribution:
    """|gradient| at the observation."""
    return Attribution(outputs.gradients(frame.observations)[:, 0].abs())


METHOD = Gradient
