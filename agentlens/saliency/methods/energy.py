"""The agent-free control: how strong the perturbation itself is at each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.saliency.base import Explainer, SaliencyMethod, Setup
from agentlens.saliency.masks import GridName, gaussian_masks
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Energy(SaliencyMethod):
    """Show where a perturbation changes the input most, without asking the agent.

    The map is ||o' - o||^2 for each soft disc. A saliency map that looks like it may show the
    input rather than the agent.

    Notes:
        No forward passes.
    """

    summary: ClassVar[str] = "control: how strong the perturbation itself is, whatever the agent"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "says nothing about the agent: that is its use"

    planes: Literal["all", "newest", "each"] = "all"
    """Frames of the stack that a mask falls on."""
    radius: float = 5.0
    """Standard deviation of a disc, observation pixels."""
    stride: int = 5
    """Distance of neighbouring discs, observation pixels."""
    grid: GridName = "centred"
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

        recipe = Recipe(
            masks=gaussian_masks(policy.observation_shape[1:], self.radius, self.stride, self.grid),
            planes=self.planes,
            reference=self.reference,
            targets=("energy",),
        )
        return PerturbationExplainer(policy, setup, recipe)


METHOD = Energy
