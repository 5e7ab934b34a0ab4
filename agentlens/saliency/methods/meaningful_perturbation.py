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
        is hidden, where they blur (on 40 states of the mosaic the median names the cell in .95,
        a blur in .80); no jitter (a policy sees exact places); logits behind a sigmoid instead of
        clamped values; the probability is divided by the one before; weights chosen on the
        mosaic, since theirs are for photographs: with an area weight of 2 hiding a cell costs
        more than a blur of it destroys.
    """

    summary: ClassVar[str] = "learned mask: the smallest part whose hiding destroys the action"
    paper: ClassVar[str] = "Fong & Vedaldi 2017"
    weakness: ClassVar[str] = "one of many masks that destroy; empty where nothing does"

    area: float = 0.5
    """Weight of the mask's mean."""
    smoothness: float = 0.2
    """Weight of the mask's total variation."""

    @property
    def usual_target(self) -> str:
        """What the paper destroys."""
        return "log_probability"

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
