"""The general perturbation method: soft discs, any reference, any score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.saliency.base import Explainer, SaliencyMethod, Setup
from agentlens.saliency.masks import GridName, gaussian_masks
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Perturbation(SaliencyMethod):
    """Hide one soft disc after the other and score how far the policy's outputs move.

    Notes:
        1 + P R gy gx forward passes a step: P = 1, or K for ``planes="each"``; R radii share one
        unperturbed pass. With ``planes="each"`` a target "value interaction" (contrast, value,
        q_value, advantage) is the joint effect of all frames less the sum of the single ones,
        at gy gx passes more.

    References:
        Masks and blur of Greydanus et al. 2018. Deviations: scores in policy space, centres in
        the middle of the cells, energy control beside the maps.
    """

    summary: ClassVar[str] = "soft discs hidden one by one; any reference, any score"
    paper: ClassVar[str] = "after Greydanus et al. 2018"
    weakness: ClassVar[str] = "follows the input where the reference differs most: see energy"

    targets: tuple[str, ...] | None = None
    """Scores by name; the default suits the policy."""
    planes: Literal["all", "newest", "each"] = "all"
    """Frames of the stack that a mask falls on."""
    radius: float | tuple[float, ...] = 5.0
    """Standard deviation of a disc, observation pixels; several give targets such as kl@3, kl@5."""
    stride: int = 5
    """Distance of neighbouring discs, observation pixels."""
    grid: GridName = "centred"
    """Where the discs' centres lie."""
    reference: str = "blur"
    """What fills a disc: blur[:sigma], constant[:value], median, mean, previous, noise[:seed]."""
    action: str = "taken"
    """The explained action: taken, greedy or a name."""
    contrast: str | None = None
    """The action that score ``contrast`` compares with; the best other one if not given."""
    temperature: float | None = None
    """Softmax temperature that softmax scores of Q-values need."""
    preview: bool = False
    """Twice the stride, a quarter of the forward passes; the map stays on that coarse grid."""

    def __post_init__(self) -> None:
        parse_reference(self.reference)

    @property
    def pictures(self) -> frozenset[str]:
        """What the reference needs of the recording."""
        return parse_reference(self.reference).pictures

    def bind(self, policy: Policy, setup: Setup) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, Recipe

        stride = 2 * self.stride if self.preview else self.stride
        masks = gaussian_masks(policy.observation_shape[1:], self.radius, stride, self.grid)
        recipe = Recipe(
            masks=masks,
            planes=self.planes,
            reference=self.reference,
            targets=self.targets,
            action=self.action,
            contrast=self.contrast,
            temperature=self.temperature,
        )
        return PerturbationExplainer(policy, setup, recipe)


METHOD = Perturbation
