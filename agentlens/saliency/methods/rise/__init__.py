"""RISE: many random places hidden at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import full_mask
from agentlens.saliency.options import AskedOptions, MaskOptions
from agentlens.saliency.seeds import check_seed

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Rise(MaskOptions, AskedOptions, SaliencyMethod):
    """Hide random halves of the observation; a place's value is the mean score when it is hidden.

    Less the mean over all masks, so that an agent that looks at nothing gives zeros.

    Notes:
        1 + P ``masks`` forward passes a step; the values keep sampling noise of about
        1 / sqrt(masks) of the scores' spread.

    References:
        Petsiuk et al. 2018, equation 6, here for what is lost where a place is hidden. Deviations:
        any reference and score, and the mean is taken off.
    """

    summary: ClassVar[str] = "random halves hidden, scores averaged back to places, signed"
    paper: ClassVar[str] = "Petsiuk et al. 2018"
    weakness: ClassVar[str] = "needs thousands of masks; half-hidden screens are far from real ones"

    masks: int = 1000
    """How many random masks."""
    cells: int = 8
    """Cells of the coarse random grid along each axis."""
    hidden: float = 0.5
    """Share of cells that are hidden."""
    stride: int = length(4)
    """Distance of neighbouring map values, observation pixels."""
    seed: int = 0
    """Seed of the masks; they are the same for every step."""
    reference: str = length("constant:0")
    """What fills the hidden part: blur[:sigma], constant[:value], median, mean, previous,
    noise[:seed]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed)

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """The side of a cell of the coarse random grid in observation pixels."""
        return max(observation) / self.cells

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.methods.rise.explainer import RandomisedExplainer, random_masks
        from agentlens.saliency.perturb import PerturbationSpec

        observation = policy.observation_shape[1:]
        spec = PerturbationSpec(
            masks=full_mask(observation),
            planes=self.planes,
            reference=self.reference,
            asked=self,
        )
        masks = random_masks(
            observation, count=self.masks, cells=self.cells, hidden=self.hidden, seed=self.seed
        )
        return RandomisedExplainer(policy, compute, facts, spec, masks=masks, stride=self.stride)


METHOD = Rise
