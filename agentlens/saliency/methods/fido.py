"""FIDO: which places to drop at random so that the decision survives, or falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.problem import Goal, MaskProblem


@dataclass(frozen=True, kw_only=True)
class Fido(LearnedMaskOptions):
    """For each cell the probability of being dropped, learned from relaxed random masks.

    The map is the probability that a cell stays (``goal="preserve"``, the smallest sufficient
    region) or goes (``goal="destroy"``, the smallest destroying region).

    Notes:
        2 ``steps`` ``draws`` + 2 evaluations of the policy a step and target.

    References:
        Chang et al. 2019 (variational dropout saliency, Chang et al. 2017). Deviations: the score
        is a target of ours instead of log-odds; the fill is a background of the recording.
    """

    summary: ClassVar[str] = "learned drop probabilities: what may go, or must go, at random"
    paper: ClassVar[str] = "Chang et al. 2019"
    weakness: ClassVar[str] = "random masks: noisier and dearer than a soft mask"

    goal: Goal = "preserve"
    """preserve: smallest sufficient region; destroy: smallest destroying region."""
    steps: int = 80
    """Steps of the optimisation: random masks need more, and smaller ones, than a soft mask."""
    area: float = 1.0
    """Weight of the dropped share."""
    draws: int = 4
    """Random masks in each step."""
    temperature_of_draws: float = 0.1
    """Of the relaxed draws: small is nearly 0 or 1."""

    @property
    def problem(self) -> MaskProblem:
        """What is wanted of the masks."""
        return MaskProblem(
            goal=self.goal,
            relaxation="concrete",
            concrete_temperature=self.temperature_of_draws,
            fill=self.fill,
            area_weight=self.area,
            steps=self.steps,
            learning_rate=0.2,
            draws=self.draws,
            seed=self.seed,
        )


METHOD = Fido
