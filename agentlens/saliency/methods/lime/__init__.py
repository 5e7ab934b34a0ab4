"""LIME: superpixels hidden at random, a linear model fitted to what happens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.options import AskedOptions, MaskOptions
from agentlens.saliency.seeds import check_seed

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Lime(MaskOptions, AskedOptions, SaliencyMethod):
    """Cut the observation into superpixels, hide random halves of them, fit a linear model.

    A superpixel's value is its coefficient: minimise over b and c the sum of w (s - c - b z)^2
    plus ||b||^2, with s the score, z which superpixels are hidden, and
    w = exp(-D^2 / (2 0.25^2)), D = 1 - sqrt(share shown), the cosine distance to hiding nothing.

    Notes:
        1 + P ``samples`` forward passes a step. Needs the extra ``lime`` (scikit-image). The
        hidden superpixels depend on seed, episode and step alone.

    References:
        Ribeiro et al. 2016, equation 1 and section 3.4, weights and ridge as in their code; SLIC
        by Achanta et al. 2012, on all frames of the stack at once. Deviation: any reference and
        any score, so a positive value is what hiding raises the score by.
    """

    summary: ClassVar[str] = "superpixels hidden at random, a linear model of the scores, signed"
    paper: ClassVar[str] = "Ribeiro et al. 2016"
    weakness: ClassVar[str] = (
        "changes with the superpixels and the seed; small objects share theirs with background"
    )

    segments: int = 100
    """About how many superpixels."""
    compactness: float = 0.1
    """How round superpixels are: low follows edges, high gives squares."""
    samples: int = 1000
    """How often a random half is hidden."""
    seed: int = 0
    """Seed of what is hidden."""
    reference: str = length("constant:0")
    """What fills a superpixel: blur[:sigma], constant[:value], median, mean, previous,
    noise[:seed]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seed(self.seed)
        if self.segments < 1 or self.samples < 2 or not self.compactness > 0:
            raise InvalidArgument(
                f"{self.segments} segments of compactness {self.compactness} in {self.samples} "
                "samples: expected 1 or more, a positive number and 2 or more."
            )

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """The side of a square as large as the average superpixel, in observation pixels."""
        return math.sqrt(math.prod(observation) / self.segments)

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``.

        Raises:
            MissingExtra: scikit-image is not installed.
        """
        from agentlens.saliency.masks import full_mask
        from agentlens.saliency.methods.lime.superpixels import Sampling, SuperpixelExplainer
        from agentlens.saliency.perturb import PerturbationSpec

        spec = PerturbationSpec(
            masks=full_mask(policy.observation_shape[1:]),
            planes=self.planes,
            reference=self.reference,
            asked=self,
        )
        sampling = Sampling(
            segments=self.segments,
            compactness=self.compactness,
            samples=self.samples,
            seed=self.seed,
        )
        return SuperpixelExplainer(policy, compute, facts, spec, sampling)


METHOD = Lime
