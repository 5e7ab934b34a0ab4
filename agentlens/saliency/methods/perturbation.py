"""The general perturbation method: soft discs, any reference, any score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.options import AskedOptions, DiscOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Perturbation(DiscOptions, AskedOptions, SaliencyMethod):
    """Hide one soft disc after the other and score how far the policy's outputs move.

    Notes:
        1 + P R gy gx forward passes a step: P = 1, or K for ``planes="each"``; R radii share one
        unperturbed pass. With ``planes="each"`` a target "value interaction" (contrast, value,
        q_value, advantage) is the joint effect of all frames less the sum of the single ones,
        at gy gx passes more.

    References:
        Masks of Greydanus et al. 2018. Deviations: scores in policy space, centres in the middle
        of the cells, energy control beside the maps; the recording's median fills a disc instead
        of a blur, which hides a small object better and draws less heat to the input's edges
        (docs/trust.md has the figures).
    """

    summary: ClassVar[str] = "soft discs hidden one by one; any reference, any score"
    paper: ClassVar[str] = "after Greydanus et al. 2018"
    weakness: ClassVar[str] = "what stands still for most of the recording is its own median"

    reference: str = length("median")
    """What fills a disc: median or mean (of the recording), blur[:sigma], constant[:value],
    previous, neighbour or noise[:seed]."""

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec

        spec = PerturbationSpec(
            masks=self.discs(policy),
            planes=self.planes,
            reference=self.reference,
            asked=self,
        )
        return PerturbationExplainer(policy, compute, facts, spec)


METHOD = Perturbation
