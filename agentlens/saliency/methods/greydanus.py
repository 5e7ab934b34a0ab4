"""Greydanus et al. 2018 as published: kept for comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.saliency.base import Explainer, SaliencyMethod, Setup
from agentlens.saliency.masks import GridName, gaussian_masks
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Greydanus(SaliencyMethod):
    """Blur one soft disc after the other; half the squared change of the logits and of the value.

    Notes:
        1 + P gy gx forward passes a step.

    References:
        Greydanus et al. 2018, "Visualizing and Understanding Atari Agents", equations 1-3, with
        their grid (centres at multiples of the stride). Deviations from their code: the memory
        belongs to the explained frame (theirs is one frame old, and the first frame gets the
        episode's last memory), maps stay on their grid in floats and are not smoothed in byte steps.
    """

    summary: ClassVar[str] = "soft discs blurred one by one; squared change of logits and value"
    paper: ClassVar[str] = "Greydanus et al. 2018"
    weakness: ClassVar[str] = "counts shifts common to all logits, which the policy cannot see"

    planes: Literal["all", "newest", "each"] = "all"
    """Frames of the stack that a mask falls on."""
    radius: float = 5.0
    """Standard deviation of a disc, observation pixels."""
    stride: int = 5
    """Distance of neighbouring discs, observation pixels."""
    grid: GridName = "published"
    """Where the discs' centres lie."""
    reference: str = "blur"
    """What fills a disc: blur[:sigma], constant[:value], median, mean, previous, noise[:seed]."""

    def __post_init__(self) -> None:
        parse_reference(self.reference)

    @property
    def pictures(self) -> frozenset[str]:
        """What the reference needs of the recording."""
        return parse_reference(self.reference).pictures

    def bind(self, policy: Policy, setup: Setup) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, Recipe

        critic = policy.has_value or policy.kind == "q_values"
        recipe = Recipe(
            masks=gaussian_masks(policy.observation_shape[1:], self.radius, self.stride, self.grid),
            planes=self.planes,
            reference=self.reference,
            targets=("logit_l2", "value_l2") if critic else ("logit_l2",),
        )
        return PerturbationExplainer(policy, setup, recipe)


METHOD = Greydanus
