"""A mask problem bound to a policy: the explainer of every learned method.

Shape letters: F frames, T targets, P plane selections, gy gx mask cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import check_targets, wanted_targets
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.engine.settings import exact_float32
from agentlens.saliency.optimise.solver import MaskTask, solve
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.targets import TARGETS
from agentlens.spec import TargetInfo

LEARNED_TARGETS = ("kl", "log_probability", "logit", "logit_l2", "q_value", "value_l2")
"""Scores that a mask can be learned from: 0 where nothing is hidden."""

_LIKE_OF_Q_VALUES = {"logit": "q_value"}
"""What stands for a score of logits where there are Q-values; ``logit_l2`` for all others."""


class LearnedMaskExplainer:
    """Masks optimised for each frame and target by itself; an ``Explainer``.

    Notes:
        2 ``steps`` ``draws`` + 2 evaluations of the policy a step and target (a backward pass
        counts as one). Frames go through the policy 16 at a time.
    """

    def __init__(self, tasks: Sequence[MaskTask], planes: tuple[str, ...]) -> None:
        self.tasks = tuple(tasks)
        first = self.tasks[0]
        self.grid, self.planes = first.grid, planes
        self.targets = tuple(_described(task) for task in self.tasks)
        problem = first.problem
        self.forward_passes = len(self.tasks) * (2 * problem.steps * problem.draws + 2)
        self.engine = f"optimiser: Adam, {problem.steps} steps, fill {problem.fill}"

    @torch.inference_mode(False)
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        values = []
        with torch.enable_grad(), exact_float32():
            for task in self.tasks:
                masks = solve(task, frames).masks
                values.append(1 - masks if task.problem.goal == "preserve" else masks)
        task = self.tasks[0]
        with torch.no_grad():
            base = task.policy(frames.observations, frames.states)
            explained = task.question.explained(base, frames.actions)
        return MapBatch(torch.stack(values, 1).float(), explained)


def learned_targets(policy: Policy, asked: AskedOptions, usual: str) -> tuple[str, ...]:
    """The scores to learn masks from; if none is named the usual, or its like for Q-values.

    Where an action is named and the usual score ignores it, ``log_probability`` (``q_value`` for
    Q-values) takes its place.

    Raises:
        UnknownName, InvalidArgument: as ``check_targets``, or a score that no mask is learned from.
    """
    bare = policy.kind == "q_values" and asked.temperature is None
    usual = _LIKE_OF_Q_VALUES.get(usual, "logit_l2") if bare else usual
    if asked.action not in ("taken", "greedy") and not TARGETS[usual].of_action:
        usual = "q_value" if bare else "log_probability"
    names: tuple[str, ...] = (usual,)
    if asked.targets is not None or asked.contrast is not None:
        names = tuple(map(str, wanted_targets(asked, names)))
    check_targets(names, policy.kind, policy.has_value, asked.temperature)
    for name in names:
        if name not in LEARNED_TARGETS:
            raise InvalidArgument(
                f"target {name!r}: masks are learned from {', '.join(LEARNED_TARGETS)}."
            )
    return names


def _described(task: MaskTask) -> TargetInfo:
    (info,) = check_targets(
        (task.target,), task.policy.kind, task.policy.has_value, task.question.temperature
    )
    return learned_meaning(info, task.problem.goal)


def learned_meaning(info: TargetInfo, goal: str) -> TargetInfo:
    """How to read a learned map: its unit is a share of the pixel, not the score's."""
    if goal == "preserve":
        moves = "falls" if info.signed else "rises"
        unit, meaning = "share kept", f"this place must stay, or {info.name} {moves}"
    else:
        moves = "lowers" if info.signed else "raises"
        unit, meaning = "share hidden", f"hiding this place and little else {moves} {info.name}"
    return dataclasses.replace(
        info, signed=False, unit=unit, display="identity", noise_floor=0.0, meaning=meaning
    )
