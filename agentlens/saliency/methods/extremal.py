"""Extremal perturbation: the part of a fixed size that keeps, or destroys, the outputs best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.problem import Goal, MaskProblem


@dataclass(frozen=True, kw_only=True)
class Extremal(LearnedMaskOptions):
    """A mask whose map is 1 on a fixed share of the observation and 0 elsewhere.

    The score is the explained action's own logit where it is to be destroyed, and all logits where
    they are to be preserved (``logit``, ``logit_l2``). A probability is kept by a part of its
    cause, and taken away by making evidence for another action: masks learned from kl cover half
    of a known cause, these cover it.

    Notes:
        2 ``steps`` + 2 evaluations of the policy a step and target.

    References:
        Fong et al. 2019, equation 5 with the area constraint of their section 3. Deviations:
        smooth by bilinear cells and a penalty on total variation instead of their
        max-convolution; the constraint's weight rises linearly; to be preserved are all logits,
        where theirs is to be as large as it can.
    """

    summary: ClassVar[str] = "learned mask of a fixed area that keeps the outputs best"
    paper: ClassVar[str] = "Fong et al. 2019"
    weakness: ClassVar[str] = "always fills its area, also where nothing or everything counts"

    goal: Goal = "preserve"
    """preserve: what stays must suffice; destroy: what is hidden must destroy."""
    area: float = 0.1
    """Share of the observation that the map takes up."""
    smoothness: float = 15.0
    """Weight of the mask's total variation."""

    @property
    def usual_target(self) -> str:
        """Outputs before any softmax, which a part of the cause already fills."""
        return "logit_l2" if self.goal == "preserve" else "logit"

    @property
    def problem(self) -> MaskProblem:
        """What is wanted of the masks."""
        return MaskProblem(
            goal=self.goal,
            fill=self.fill,
            fixed_area=self.area,
            smoothness=self.smoothness,
            steps=self.steps,
            seed=self.seed,
        )


METHOD = Extremal
