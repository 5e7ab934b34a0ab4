"""Occlusion: hard squares hidden one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import square_masks
from agentlens.saliency.options import AskedOptions, MaskOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Occlusion(MaskOptions, AskedOptions, SaliencyMethod):
    """Hide one square after the other and score how far the policy's outputs move.

    Notes:
        1 + P gy gx forward passes a step.

    References:
        Zeiler and Fergus 2014, section 4.2. Deviation: any reference and any score.
    """

    summary: ClassVar[str] = "hard squares hidden one by one; any reference, any score"
    paper: ClassVar[str] = "Zeiler and Fergus 2014"
    weakness: ClassVar[str] = "edges of the squares are seen too; black is the background in Atari"

    size: int = length(5)
    """Side of a square, observation pixels."""
    stride: int = length(5)
    """Distance of neighbouring squares, observation pixels."""
    reference: str = length("constant:0")
    """What fills a square: blur[:sigma], constant[:value], median, mean, previous, noise[:seed]."""

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """The side of a square in observation pixels."""
        del observation
        return float(self.size)

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec

        spec = PerturbationSpec(
            masks=square_masks(policy.observation_shape[1:], self.size, self.stride),
            planes=self.planes,
            reference=self.reference,
            asked=self,
        )
        return PerturbationExplainer(policy, compute, facts, spec)


METHOD = Occlusion
