"""Greydanus et al. 2018 as published: kept for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.masks import GridName
from agentlens.saliency.options import AskedOptions, DiscOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Greydanus(DiscOptions, SaliencyMethod):
    """Blur one soft disc after the other; half the squared change of the logits and of the value.

    ``as_published`` keeps what the authors' code does to the picture's geometry: scores fill the
    first rows and columns of an array of H // stride + 1 by W // stride + 1, the rest stays zero,
    and the whole array is spread over the observation. The map's grid says where each value is
    then drawn, about half a stride from its disc.

    Notes:
        1 + P gy gx forward passes a step.

    References:
        Greydanus et al. 2018, "Visualizing and Understanding Atari Agents", equations 1-3, with
        their grid (centres at multiples of the stride). Never reproduced from their code: the
        memory of the step before (and, for the first step, the episode's last one); the resize in
        bytes, which rounds each map to 256 steps of its own maximum; gains that saturate in the
        video. Drawing interpolates between the values of the grid.
    """

    summary: ClassVar[str] = "soft discs blurred one by one; squared change of logits and value"
    paper: ClassVar[str] = "Greydanus et al. 2018"
    weakness: ClassVar[str] = "counts shifts common to all logits, which the policy cannot see"

    grid: GridName = "published"
    """Where the discs' centres lie."""
    as_published: bool = False
    """Put the values where the authors' code draws them; needs the published grid."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.as_published and self.grid != "published":
            raise InvalidArgument(
                f"as_published with grid {self.grid!r}: the published code has grid 'published'."
            )

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.methods.greydanus.published import PublishedExplainer
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec

        critic = policy.has_value or policy.kind == "q_values"
        spec = PerturbationSpec(
            masks=self.discs(policy),
            planes=self.planes,
            reference=self.reference,
            asked=AskedOptions(targets=("logit_l2", "value_l2") if critic else ("logit_l2",)),
        )
        explainer = PerturbationExplainer(policy, compute, facts, spec)
        return PublishedExplainer(explainer, self.spacing) if self.as_published else explainer


METHOD = Greydanus
