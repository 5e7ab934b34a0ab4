"""A mask problem bound to a policy: the explainer of every learned method.

Shape letters: F frames, T targets, P plane selections, gy gx mask cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import check_targets
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.engine.settings import exact_float32
from agentlens.saliency.optimise.solver import MaskTask, solve
from agentlens.saliency.options import AskedOptions
from agentlens.spec import TargetInfo

LEARNED_TARGETS = ("kl", "log_probability", "logit_l2", "value_l2")
"""Scores that a mask can be learned from: 0 where nothing is hidden."""


class LearnedMaskExplainer:
    """Masks optimised for each frame and target by itself; an ``Explainer``.

    Notes:
        2 ``steps`` ``draws`` + 2 evaluations of the policy a step and target (a backward pass
        counts as one). Frames go through the policy 16 at a time.
    """

    def __init__(self, tasks: Sequence[MaskTask], planes: tuple[str, ...]) -> None:
        self._tasks = tuple(tasks)
        first = self._tasks[0]
        self.grid, self.planes = first.grid, planes
        self.targets = tuple(_described(task) for task in self._tasks)
        problem = first.problem
        self.forward_passes = len(self._tasks) * (2 * problem.steps * problem.draws + 2)
        self.engine = f"optimiser: Adam, {problem.steps} steps, fill {problem.fill}"

    @torch.inference_mode(False)
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        values = []
        with torch.enable_grad(), exact_float32():
            for task in self._tasks:
                masks = solve(task, frames).masks
                values.append(1 - masks if task.problem.goal == "preserve" else masks)
        task = self._tasks[0]
        with torch.no_grad():
            base = task.policy(frames.observations, frames.states)
            explained = task.question.explained(base, frames.actions)
        return MapBatch(torch.stack(values, 1).float(), explained)


def learned_targets(policy: Policy, asked: AskedOptions, usual: str) -> tuple[str, ...]:
    """The scores to learn masks from; if none is named the usual, or ``logit_l2`` of Q-values.

    Raises:
        UnknownName, InvalidArgument: as ``check_targets``, or a score that no mask is learned from.
    """
    names = asked.targets
    if names is None:
        bare = policy.kind == "q_values" and asked.temperature is None
        names = ("logit_l2" if bare else usual,)
    check_targets(names, policy.kind, policy.has_value, asked.temperature)
    for name in names:
        if name not in LEARNED_TARGETS:
            raise InvalidArgument(
                f"target {name!r}: masks are learned from {', '.join(LEARNED_TARGETS)}."
            )
    return tuple(names)


def _described(task: MaskTask) -> TargetInfo:
    """How to read a learned map: its unit is a share of the pixel, not the score's."""
    (info,) = check_targets(
        (task.target,), task.policy.kind, task.policy.has_value, task.question.temperature
    )
    if task.problem.goal == "preserve":
        unit, meaning = "share kept", f"this place must stay, or {info.name} rises"
    else:
        unit, meaning = "share hidden", f"hiding this place and little else raises {info.name}"
    return dataclasses.replace(
        info, signed=False, unit=unit, display="identity", noise_floor=0.0, meaning=meaning
    )
