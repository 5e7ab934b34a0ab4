"""Meaningful perturbation: the smallest part whose hiding makes the action improbable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.problem import MaskProblem


@dataclass(frozen=True, kw_only=True)
class MeaningfulPerturbation(LearnedMaskOptions):
    """The smallest smooth mask that destroys the explained action's probability.

    The map is the mask: near 1 where hiding counts.

    Notes:
        2 ``steps`` + 2 evaluations of the policy a step and target.

    References:
        Fong & Vedaldi 2017, equation 3, deletion. Deviations: the recording's median fills what
        is hidden, where they blur (a blur of 3 pixels leaves glyphs of 20 readable: on the mosaic
        it names the cell in .17 of the states, the median in .87); no jitter (a policy sees exact
        places); logits behind a sigmoid instead of clamped values; the probability is divided by
        the one before; weights chosen on Pong and the mosaic, since theirs are for photographs.
    """

    summary: ClassVar[str] = "learned mask: the smallest part whose hiding destroys the action"
    paper: ClassVar[str] = "Fong & Vedaldi 2017"
    weakness: ClassVar[str] = "one of many masks that destroy; empty where nothing does"
    usual_target: ClassVar[str] = "log_probability"

    area: float = 0.5
    """Weight of the mask's mean."""
    smoothness: float = 0.2
    """Weight of the mask's total variation."""

    @property
    def problem(self) -> MaskProblem:
        """What is wanted of the masks."""
        return MaskProblem(
            goal="destroy",
            fill=self.fill,
            area_weight=self.area,
            smoothness=self.smoothness,
            variation_power=3.0,
            steps=self.steps,
            seed=self.seed,
        )


METHOD = MeaningfulPerturbation
