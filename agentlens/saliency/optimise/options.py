"""Options that all learned methods share, and how each is bound. No torch here."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.optimise.problem import MaskProblem, parse_fill
from agentlens.saliency.options import AskedOptions, Planes

if TYPE_CHECKING:
    from agentlens.compute import Compute
    from agentlens.policies.base import Policy
    from agentlens.saliency.base import RecordingFacts


@dataclass(frozen=True, kw_only=True)
class LearnedMaskOptions(AskedOptions, SaliencyMethod):
    """A mask for each frame, found by gradient descent on a coarse grid."""

    targets: tuple[str, ...] | None = None
    """Scores: kl, log_probability, logit (q_value for Q-values), logit_l2 or value_l2; if none is
    named the method's own, and logit_l2 or q_value for Q-values."""
    planes: Planes = "all"
    """One mask for the whole stack, for the newest frame alone, or one for each, found together."""
    cell_px: int = length(4)
    """Side of a cell of the mask's grid, observation pixels."""
    fill: str = length("median")
    """What stands in the hidden part: median, mean, blur[:sigma], constant[:value], previous,
    noise[:seed], frames (recorded observations), cells (a mix of them) or uniform."""
    steps: int = 40
    """Steps of the optimisation."""
    seed: int = 0
    """Of what is drawn."""
    memory: int = 0
    """Earlier steps that are hidden too, for agents with memory; 0: this frame, memory fixed."""

    def __post_init__(self) -> None:
        check_count("memory", self.memory, 0, 64)
        check_count("cell_px", self.cell_px)
        _ = self.problem

    @property
    @abc.abstractmethod
    def problem(self) -> MaskProblem:
        """What is wanted of the masks."""

    @property
    def usual_target(self) -> str:
        """The score of policies with probabilities, where none is named."""
        return "kl"

    @property
    def pictures(self) -> frozenset[str]:
        """What the fill needs of the recording."""
        return parse_fill(self.fill)

    @property
    def past_steps(self) -> int:
        """How many steps before each explained one are hidden with it."""
        return self.memory

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """The side of a cell in observation pixels."""
        del observation
        return float(self.cell_px)

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.optimise.explainer import LearnedMaskExplainer, learned_targets
        from agentlens.saliency.optimise.fills import FillSource
        from agentlens.saliency.optimise.relaxation import cell_grid
        from agentlens.saliency.optimise.solver import MaskTask
        from agentlens.saliency.question import ask

        if self.memory and policy.state_size == 0:
            raise InvalidArgument(f"memory {self.memory}: this agent has no memory; give 0.")
        observation = policy.observation_shape[1:]
        grid = cell_grid(observation, self.cell_px)
        names, selections = plane_selections(
            self.planes, policy.observation_shape[0], policy.channels
        )
        targets = learned_targets(policy, self, self.usual_target)
        tasks = [
            MaskTask(
                problem=self.problem,
                policy=policy,
                question=ask(policy, self, facts),
                target=target,
                grid=grid,
                selections=selections,
                fills=FillSource(
                    fill=self.fill, pictures=facts.pictures, cells=grid.shape, seed=self.seed
                ),
                memory=self.memory,
            )
            for target in targets
        ]
        return LearnedMaskExplainer(tasks, names)
