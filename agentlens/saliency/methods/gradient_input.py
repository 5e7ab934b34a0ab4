"""Gradient times input."""

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
class GradientInput(GradientOptions, SaliencyMethod):
    """An output's derivative times the observation, pixel by pixel, signed.

    Notes:
        1 forward and 1 backward pass a step and target (counted as 3 with the unperturbed one).

    References:
        Shrikumar et al. 2016. Moves when a constant is added to every input (Kindermans et al.
        2019), since black counts as nothing.
    """

    summary: ClassVar[str] = "gradient times observation, signed"
    paper: ClassVar[str] = "Shrikumar et al. 2016"
    weakness: ClassVar[str] = "black pixels can never matter"

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import GradientExplainer, MapMeaning

        return GradientExplainer(
            policy,
            compute,
            facts,
            self,
            times_input,
            MapMeaning(
                signed=True,
                per_unit=False,
                meaning="positive: this pixel being as it is raises the output, to first order",
                passes=3,
            ),
        )


def times_input(frame: FrameBatch, outputs: PointOutputs) -> Attribution:
    """Gradient times observation."""
    return Attribution(outputs.gradients(frame.observations)[:, 0] * frame.observations)


METHOD = GradientInput
