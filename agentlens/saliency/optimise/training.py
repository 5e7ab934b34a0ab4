"""Learning a mask network: the loss of the solver, over frames of recordings.

Shape letters: F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.engine.settings import exact_float32
from agentlens.saliency.optimise.loss import mask_loss
from agentlens.saliency.optimise.network import MaskNetwork
from agentlens.saliency.optimise.problem import AUTO
from agentlens.saliency.optimise.relaxation import spread
from agentlens.saliency.optimise.solver import (
    MaskTask,
    hidden_outputs,
    kept_share,
    task_score,
    whole_score,
)

_START_LOGIT, _START_WEIGHT = -2.0, 0.1
"""Without a teacher a network begins with little hidden and a small weight, a share of what hiding
everything does to the score: from everything hidden it does not find back."""

_WEIGHT_RATE = 0.1
"""How fast an automatic area weight follows the share of kept decisions."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How long a mask network learns, and how.

    Raises:
        InvalidArgument: a number out of range.
    """

    teacher_frames: int = 480
    """Steps whose perturbation maps teach the network first; 0 for none."""
    teacher_updates: int = 400
    """Steps of Adam with the teacher."""
    updates: int = 100
    """Steps of Adam with the masks' own loss."""
    batch: int = 32
    """Frames a step."""
    learning_rate: float = 2e-3
    """Of Adam with the teacher, a quarter of it afterwards; it falls to 0 linearly."""
    seed: int = 0
    """Of weights, batches and fills."""

    def __post_init__(self) -> None:
        whole = (("teacher_frames", 0), ("teacher_updates", 0), ("updates", 1), ("batch", 1))
        for name, least in (*whole, ("seed", 0)):
            check_count(name, getattr(self, name), least)
        if not 0 < self.learning_rate < 1:
            raise InvalidArgument(
                f"learning rate {self.learning_rate!r}: expected a number between 0 and 1."
            )


@dataclass(frozen=True, kw_only=True)
class TrainingRow:
    """One line of a learning curve.

    ``loss``: of the batch. ``area``: mean share of a frame that stays. ``kept``: share of
    decisions that survive. ``weight``: of the mask's mean.
    """

    update: int
    loss: float
    area: float
    kept: float
    weight: float


@dataclass(kw_only=True, eq=False)
class TrainingState:
    """What a training run is between two updates; written to and read from a checkpoint.

    ``weight``: the present weight of the mask's mean. ``update``: updates done.
    """

    network: MaskNetwork
    optimiser: torch.optim.Adam
    weight: float
    update: int = 0


def start_training(task: MaskTask, network: MaskNetwork, plan: TrainingPlan) -> TrainingState:
    """A run before its first update, with fresh weights drawn from the plan's seed: on the CPU, so
    that they are the same wherever the network is."""
    generator = torch.Generator().manual_seed(plan.seed)
    taught = plan.teacher_frames and plan.teacher_updates
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                drawn = torch.empty(parameter.shape)
                parameter.copy_(drawn.normal_(0, (2 / fan_in) ** 0.5, generator=generator))
            else:
                parameter.zero_()
        if not taught:
            network.outwards.weight.mul_(0.1)
            assert network.outwards.bias is not None  # built with one
            network.outwards.bias.fill_(_START_LOGIT)
    weight = task.problem.area_weight
    return TrainingState(
        network=network.train().requires_grad_(True),
        optimiser=torch.optim.Adam(network.parameters(), lr=plan.learning_rate),
        weight=0.0 if weight == AUTO else float(weight),  # settled before the first update
    )


def teach(
    state: TrainingState, plan: TrainingPlan, frames: Sequence[FrameBatch], shares: Tensor
) -> Iterator[float]:
    """Learn to give a teacher's maps, the loss an update; ``state`` is changed in place.

    Args:
        state: a run before its first update.
        plan: how long.
        frames: batches of F steps in all.
        shares: [F, P, gy, gx] in [0, 1], what the network's map (1 less the mask) is to be.
    """
    generator = np.random.default_rng([plan.seed, 1])
    observations = torch.cat([batch.observations for batch in frames])
    states = [batch.states for batch in frames if batch.states is not None]
    memory = torch.cat(states) if states else None
    for update in range(plan.teacher_updates):
        rate = plan.learning_rate * (1 - update / plan.teacher_updates)
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        rows = generator.integers(0, len(observations), min(plan.batch, len(observations)))
        logits = state.network(observations[rows], None if memory is None else memory[rows])
        loss: Tensor = binary_cross_entropy_with_logits(-logits, shares[rows].to(logits))
        state.optimiser.zero_grad()
        torch.autograd.backward(loss)
        state.optimiser.step()
        yield float(loss.detach())


def train(
    task: MaskTask,
    state: TrainingState,
    plan: TrainingPlan,
    batches: Callable[[int], FrameBatch],
) -> Iterator[TrainingRow]:
    """Learn up to the plan's end, a row an update; what ``state`` holds is changed in place.

    Args:
        task: what is wanted of the masks, of which policy.
        state: where to go on from.
        plan: how long.
        batches: the frames of an update, by its number: the same number, the same frames.
    """
    with torch.inference_mode(False), torch.enable_grad(), exact_float32():
        if state.update == 0 and task.problem.area_weight == AUTO:
            state.weight = _START_WEIGHT * float(whole_score(task, batches(0)).mean())
        while state.update < plan.updates:
            yield _update(task, state, plan, batches(state.update))


def _update(
    task: MaskTask, state: TrainingState, plan: TrainingPlan, frames: FrameBatch
) -> TrainingRow:
    taught = plan.teacher_frames and plan.teacher_updates
    rate = plan.learning_rate * (0.25 if taught else 1) * (1 - state.update / plan.updates)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    with torch.no_grad():
        base = task.policy(frames.observations, frames.states)
        explained = task.question.explained(base, frames.actions)
    fill = task.fills.series(_numbered(frames, state.update), 1)(0)
    cells = torch.sigmoid(state.network(frames.observations, frames.states))
    masks = spread(cells, task.grid.observation)
    changed = hidden_outputs(task, frames, masks, fill)
    score = task_score(task, base, changed, explained)
    weights = torch.full_like(score, state.weight)
    progress = (state.update + 1) / plan.updates
    loss = mask_loss(task.problem, score, masks, weights, progress).mean()
    state.optimiser.zero_grad()
    torch.autograd.backward(loss)
    state.optimiser.step()
    kept = float(kept_share(task.question, base, changed).mean())
    if task.problem.area_weight == AUTO:
        state.weight *= float(np.exp(_WEIGHT_RATE * (kept - task.problem.kept_decisions)))
    state.update += 1
    return TrainingRow(
        update=state.update,
        loss=float(loss.detach()),
        area=float((1 - masks.detach()).mean()),
        kept=kept,
        weight=state.weight,
    )


def _numbered(frames: FrameBatch, update: int) -> FrameBatch:
    """The frames under numbers of their own in each update, so that fills are fresh."""
    numbers = np.arange(len(frames)) + update * 65536
    return frames.renumbered(numbers)


def network_masks(network: MaskNetwork, frames: FrameBatch) -> Tensor:
    """What a trained network says of F frames: float32 [F, P, gy, gx], 1 = hidden."""
    with torch.no_grad():
        return torch.sigmoid(network(frames.observations, frames.states))
