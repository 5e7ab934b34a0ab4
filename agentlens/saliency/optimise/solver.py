"""The solver for each frame by itself: Adam on the free numbers of its own mask.

Shape letters: F frames, P plane selections, D draws, K planes, H W observation, gy gx mask cells,
A actions, S recurrent state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.optimise.fills import FillSource
from agentlens.saliency.optimise.loss import mask_loss
from agentlens.saliency.optimise.problem import AUTO, MaskProblem
from agentlens.saliency.optimise.relaxation import over_planes, relaxed, spread, start_logits
from agentlens.saliency.question import Question, score_change
from agentlens.saliency.seeds import counted_generator
from agentlens.spec import GridSpec

CHUNK = 16
"""Frames of every forward pass; fewer are filled up, so that a map does not depend on company."""

NATS_TARGETS = frozenset({"kl", "log_probability"})
"""Scores in nats; others are taken in units of what hiding everything does."""

SIGNED_TARGETS = frozenset({"logit", "q_value"})
"""Scores of one output: their unit is how far hiding everything moves all outputs together, since
the one may rise, or stay, where everything is hidden."""

_LEAST_SCALE = 1e-6
"""Below this a score of everything hidden is nothing, and every mask is as good as another."""

_LARGEST_WEIGHT = 1.0
"""An automatic area weight begins with this and never exceeds it: more would hide what decides
before it is noticed."""

_WEIGHT_RATE = 10.0
"""How fast an automatic area weight follows the share of kept decisions, a unit of learning
rate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskTask:
    """A problem with everything of one policy and recording that it is solved with.

    ``target``: a score by name. ``selections``: plane indices that share a mask. ``memory``: how
    many earlier steps are hidden too, with the same mask, for policies with memory.
    """

    problem: MaskProblem
    policy: Policy
    question: Question
    target: str
    grid: GridSpec
    selections: tuple[tuple[int, ...], ...]
    fills: FillSource
    memory: int = 0


class Solution(NamedTuple):
    """Masks found for F frames.

    ``masks``: float32 [F, P, gy, gx], 1 = hidden. ``score``: float32 [F], D at the last step.
    ``kept``: float32 [F], the share of decisions kept at the last step.
    """

    masks: Tensor
    score: Tensor
    kept: Tensor


def solve(task: MaskTask, frames: FrameBatch) -> Solution:
    """The masks of F frames, each found as if it were alone.

    Where nothing that was hidden on the way moved the score at all, the map is exactly 0.

    Notes:
        ``steps`` forward and backward passes of ``draws`` rows for each frame.
    """
    parts = [_solve_chunk(task, part, count) for part, count in _chunks(frames)]
    return Solution(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _chunks(frames: FrameBatch) -> Iterator[tuple[FrameBatch, int]]:
    """Batches of ``CHUNK`` frames with the number of those that are meant; the rest repeat."""
    for start in range(0, len(frames), CHUNK):
        count = min(CHUNK, len(frames) - start)
        rows = np.minimum(start + np.arange(CHUNK), len(frames) - 1)
        yield frames.rows(rows), count


def _solve_chunk(task: MaskTask, frames: FrameBatch, count: int) -> Solution:
    problem = task.problem
    with torch.no_grad():
        base = task.policy(frames.observations, frames.states)
    explained = task.question.explained(base, frames.actions)
    logits = start_logits(len(frames), len(task.selections), task.grid, problem.start)
    logits = logits.to(frames.observations).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=problem.learning_rate)
    automatic = problem.area_weight == AUTO
    weights = torch.ones_like(logits[:, 0, 0, 0]).detach()
    weights = weights if automatic else weights * float(problem.area_weight)
    fills = task.fills.series(frames, problem.steps * problem.draws + 1)
    scale = _scale(task, frames, base, explained, fills(0))
    noise = _uniforms(problem, frames, tuple(logits.shape[1:]))
    score = kept = weights
    weight_rate = _WEIGHT_RATE * problem.learning_rate
    moved = torch.zeros_like(weights, dtype=torch.bool)
    for step in range(problem.steps):
        optimiser.zero_grad()
        scores, shares = [], []
        for draw in range(problem.draws):
            masks = _masks(problem, logits, noise)
            spread_masks = spread(masks, task.grid.observation)
            fill = fills(1 + step * problem.draws + draw)
            changed = hidden_outputs(task, frames, spread_masks, fill)
            score = task_score(task, base, changed, explained) / scale
            progress = (step + 1) / problem.steps
            loss = mask_loss(problem, score, spread_masks, weights, progress).sum()
            torch.autograd.backward(loss)
            scores.append(score.detach())
            moved |= score.detach() != 0
            shares.append(kept_share(task.question, base, changed))
        optimiser.step()
        score, kept = torch.stack(scores).mean(0), torch.stack(shares).mean(0)
        if automatic:
            change = (weight_rate * (kept - problem.kept_decisions)).exp()
            weights = (weights * change).clamp_max(_LARGEST_WEIGHT)
    masks = torch.sigmoid(logits.detach())
    nothing = 1.0 if problem.goal == "preserve" else 0.0
    masks = torch.where(moved[:, None, None, None], masks, nothing)
    return Solution(masks[:count], score[:count], kept[:count])


def hidden_outputs(task: MaskTask, frames: FrameBatch, masks: Tensor, fill: Tensor) -> PolicyOutput:
    """The policy's outputs with the masks in place, F rows.

    Args:
        task: policy, plane selections, and how many earlier steps are hidden too.
        frames: F steps.
        masks: [F, P, H, W], 1 = hidden.
        fill: [F, K, H, W].
    """
    stack = frames.observations.shape[1]
    hidden = over_planes(masks, task.selections, stack)
    state = frames.states
    if task.memory and frames.past is not None and frames.past_states is not None:
        state = _hidden_memory(task, frames, hidden, fill)
    observation = frames.observations + hidden * (fill - frames.observations)
    output: PolicyOutput = task.policy(observation, state)
    return output


def _hidden_memory(task: MaskTask, frames: FrameBatch, hidden: Tensor, fill: Tensor) -> Tensor:
    """The recurrent state before each step, had the last ``memory`` steps been hidden too: [F, S].

    Steps before the memory was last reset are left out.
    """
    past, states = frames.past, frames.past_states
    assert past is not None  # the caller saw them
    assert states is not None
    assert frames.past_counts is not None
    counts = torch.from_numpy(np.asarray(frames.past_counts)).to(past.device)
    state = states[:, task.memory - 1]
    for back in range(task.memory - 1, -1, -1):
        state = torch.where((counts == back + 1)[:, None], states[:, back], state)
        observation = past[:, back] + hidden * (fill - past[:, back])
        after = task.policy(observation, state).state
        assert after is not None  # a policy with memory gives one
        state = torch.where((counts > back)[:, None], after, state)
    return torch.where((counts > 0)[:, None], state, _own_states(frames))


def _own_states(frames: FrameBatch) -> Tensor:
    assert frames.states is not None  # only asked for policies with memory
    return frames.states


def task_score(
    task: MaskTask, base: PolicyOutput, changed: PolicyOutput, explained: Tensor
) -> Tensor:
    """The target's score of F rows: float64 [F]."""
    rows = lift_rows(changed)
    score = score_change(task.target, task.question, base, rows, explained)
    return score[:, 0, 0]


def lift_rows(output: PolicyOutput) -> PolicyOutput:
    """Outputs of F rows as perturbed outputs of shape [F, 1, 1, A], as scores want them."""
    value = None if output.value is None else output.value[:, None, None]
    return output._replace(
        preferences=output.preferences[:, None, None], value=value, state=None, quantiles=None
    )


def whole_score(task: MaskTask, frames: FrameBatch) -> Tensor:
    """What hiding everything does to the score of F rows: float64 [F]."""
    with torch.no_grad():
        base = task.policy(frames.observations, frames.states)
        explained = task.question.explained(base, frames.actions)
        return _whole(task, frames, base, explained, task.fills.series(frames, 1)(0))


@torch.no_grad()
def _scale(
    task: MaskTask, frames: FrameBatch, base: PolicyOutput, explained: Tensor, fill: Tensor
) -> Tensor:
    """What counts as 1 of the score: a nat, or what hiding everything does: float64 [F]."""
    if task.target in SIGNED_TARGETS:
        together = dataclasses.replace(task, target="logit_l2")
        whole = (2 * _whole(together, frames, base, explained, fill)).sqrt()
    else:
        whole = _whole(task, frames, base, explained, fill)
    return torch.ones_like(whole) if task.target in NATS_TARGETS else whole.clamp_min(_LEAST_SCALE)


def _whole(
    task: MaskTask, frames: FrameBatch, base: PolicyOutput, explained: Tensor, fill: Tensor
) -> Tensor:
    """The score with everything hidden: float64 [F]."""
    everything = torch.ones_like(frames.observations[:, :1]).expand(
        -1, len(task.selections), -1, -1
    )
    return task_score(task, base, hidden_outputs(task, frames, everything, fill), explained)


def kept_share(question: Question, base: PolicyOutput, changed: PolicyOutput) -> Tensor:
    """The share of decisions that survive: float32 [F].

    For logits 1 less the total variation of the two distributions: how often two agents that draw
    with common random numbers choose the same. For Q-values whether the greedy action is the same.
    """
    before = question.preferences(base).detach()
    after = question.preferences(changed).detach()
    if base.kind == "q_values":
        return (before.argmax(-1) == after.argmax(-1)).float()
    return torch.minimum(before.softmax(-1), after.softmax(-1)).sum(-1).float()


def _masks(problem: MaskProblem, logits: Tensor, noise: Iterator[Tensor]) -> Tensor:
    """Mask values on cells, [F, P, gy, gx]: the sigmoids, or draws around them."""
    if problem.relaxation == "sigmoid":
        return torch.sigmoid(logits)
    return relaxed(logits, next(noise), problem.concrete_temperature)


def _uniforms(problem: MaskProblem, frames: FrameBatch, shape: tuple[int, ...]) -> Iterator[Tensor]:
    """Uniform draws [F, *shape] without end, each frame's counted by seed, episode and step."""
    generators = [
        counted_generator(problem.seed + 1, episode, step)
        for episode, step in zip(frames.episodes, frames.steps, strict=True)
    ]
    while True:
        drawn = np.stack([g.random(shape, np.float32) for g in generators])
        yield frames.observations.new_tensor(drawn)
