"""Students: small networks that imitate a policy and can be read.

Two kinds: convolutions whose units compete in blocks, one winner each (LWTA), and convolutions
whose features are averaged over places, so that class activation maps are exact (CAM).

Shape letters: B observations, K planes, H W observation, C channels, U units of a block,
A outputs, h w feature rows and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from agentlens.counts import check_count, check_rate
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput

StudentKind = Literal["lwta", "relu", "cam"]


@dataclass(frozen=True, kw_only=True)
class StudentPlan:
    """Which student, and how long it learns.

    Raises:
        InvalidArgument: a number out of range.
    """

    kind: StudentKind = "lwta"
    """lwta: units compete in blocks. relu: the same network without. cam: averaged features."""
    block: int = 4
    """Units of a block (U), of which one speaks; they divide 32, 64 and 512."""
    updates: int = 500
    """Steps of Adam."""
    batch: int = 128
    """Observations in each."""
    learning_rate: float = 1e-3
    """Of Adam; it falls to 0 linearly."""
    temperature: float = 0.67
    """Of the winners' softmax while learning, through which gradients pass."""
    seed: int = 0
    """Of weights and batches."""

    def __post_init__(self) -> None:
        if self.kind not in ("lwta", "relu", "cam"):
            raise InvalidArgument(f"student {self.kind!r}: expected lwta, relu or cam.")
        if self.block not in (2, 4, 8, 16):
            raise InvalidArgument(f"blocks of {self.block!r} units: expected 2, 4, 8 or 16.")
        for name in ("updates", "batch"):
            check_count(name, getattr(self, name))
        check_count("seed", self.seed, least=0)
        for name in ("learning_rate", "temperature"):
            check_rate(name, getattr(self, name))


class WinnerTakesAll(nn.Module):
    """In each block of U channels only the largest passes its value, at every place by itself.

    In training gradients reach the losers through a softmax of the values (straight through);
    afterwards they are those of what is computed, for maps. The winner is always the largest, never
    drawn, so that outputs reproduce.

    References:
        Panousis & Chatzis 2023 (DISCOVER), section 3. Deviation: no sampling of winners, in
        training or after; their code draws them at test time too.
    """

    def __init__(self, block: int, temperature: float) -> None:
        super().__init__()
        self.block, self.temperature = block, temperature

    def forward(self, values: Tensor) -> Tensor:
        """[B, C] or [B, C, h, w] -> the same shape, C / U of its channels not zero."""
        parted = values.reshape(len(values), -1, self.block, *values.shape[2:])
        hard = one_hot(parted.argmax(2), self.block).movedim(-1, 2).to(values.dtype)
        if not (self.training and torch.is_grad_enabled()):
            return torch.flatten(parted * hard, 1, 2)
        soft = (parted / self.temperature).softmax(2)
        return torch.flatten(parted * (hard + soft - soft.detach()), 1, 2)


class Student(Policy):
    """A network of the Nature CNN's sizes that imitates a policy without memory.

    It sees how an observation differs from ``centre``, in units of ``spread``: on a screen that
    hardly changes, the few pixels that do are otherwise learned last.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, teacher: Policy, plan: StudentPlan) -> None:
        if teacher.state_size:
            raise InvalidArgument("the policy has a memory: students are for those without.")
        super().__init__()
        self.plan = plan
        self.observation_shape, self.channels = teacher.observation_shape, teacher.channels
        self.action_meanings = teacher.action_meanings
        self.state_size, self.kind, self.has_value = 0, teacher.kind, False
        self.register_buffer("centre", torch.zeros(teacher.observation_shape))
        self.register_buffer("spread", torch.ones(()))
        planes, actions = teacher.observation_shape[0], len(teacher.action_meanings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.convolutions = nn.ModuleList(
                [
                    nn.Conv2d(planes, 32, 8, 4),
                    nn.Conv2d(32, 64, 4, 2),
                    nn.Conv2d(64, 64, 3, 1),
                ]
            )
            self.choices = nn.ModuleList(_choice(plan) for _ in self.convolutions)
            blank = torch.zeros(1, *teacher.observation_shape)
            wide = 64 if plan.kind == "cam" else self.features(blank).flatten(1).shape[1]
            self.dense = nn.Identity() if plan.kind == "cam" else nn.Linear(wide, 512)
            self.choice = nn.Identity() if plan.kind == "cam" else _choice(plan)
            self.actor = nn.Linear(64 if plan.kind == "cam" else 512, actions)

    def centred(self, observation: Tensor) -> Tensor:
        """What the first convolution reads: [B, K, H, W]."""
        return (observation - self.centre) / self.spread

    def features(self, observation: Tensor) -> Tensor:
        """The last convolution's features: [B, 64, h, w]."""
        observation = self.centred(observation)
        for convolution, choice in zip(self.convolutions, self.choices, strict=True):
            observation = choice(convolution(observation))
        return observation

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy.forward``."""
        features = self.features(observation)
        flat = features.mean((2, 3)) if self.plan.kind == "cam" else features.flatten(1)
        preferences = self.actor(self.choice(self.dense(flat)))
        return PolicyOutput(preferences, self.kind, None, None, None)


def learn_student(
    teacher: Policy, plan: StudentPlan, batches: Callable[[int], Tensor]
) -> tuple[Student, float]:
    """Imitate a policy on observations.

    Args:
        teacher: the policy; logits are imitated by KL, Q-values by squared error.
        plan: which student, how long.
        batches: observations [B, K, H, W] of an update, by its number.

    Returns:
        The student, frozen, and its mean loss over the last tenth of the updates.
    """
    device = next(teacher.parameters(), torch.zeros(())).device
    student = Student(teacher, plan).to(device)
    first = batches(0)
    student.centre.copy_(first.mean(0))
    student.spread.copy_((first - student.centre).std().clamp_min(1e-3))
    optimiser = torch.optim.Adam(student.parameters(), lr=plan.learning_rate)
    losses: list[float] = []
    for update in range(plan.updates):
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * (1 - update / plan.updates)
        observation = batches(update) if update else first
        with torch.no_grad():
            wanted = teacher(observation, None).preferences
        loss: Tensor = imitation_loss(wanted, student(observation).preferences, teacher.kind)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    student.requires_grad_(False).eval()
    return student, float(np.mean(losses[-max(1, plan.updates // 10) :]))


def imitation_loss(wanted: Tensor, given: Tensor, kind: str) -> Tensor:
    """Mean KL of the policies of logits [B, A], or half the mean squared error of Q-values."""
    if kind == "q_values":
        return 0.5 * (wanted - given).square().mean()
    before = wanted.log_softmax(1)
    return (before.exp() * (before - given.log_softmax(1))).sum(1).mean()


@torch.no_grad()
def active_share(student: Student, observation: Tensor) -> float:
    """The share of the convolutions' units that are chosen: 1/U by construction for LWTA.

    Counted from the winners, not from values that happen to be zero.
    """
    chosen = total = 0
    observation = student.centred(observation)
    for convolution, choice in zip(student.convolutions, student.choices, strict=True):
        values = convolution(observation)
        if isinstance(choice, WinnerTakesAll):
            marked = choice(torch.where(values == 0, 1.0, values)) != 0
        else:
            marked = choice(values) != 0
        chosen, total = chosen + int(marked.sum()), total + marked.numel()
        observation = choice(values)
    return chosen / total


@torch.no_grad()
def class_activation_map(student: Student, observation: Tensor) -> Tensor:
    """What each place of the last features adds to each output: [B, A, h, w].

    Its mean over places plus the output's bias is the output.

    Raises:
        InvalidArgument: the student does not average its features.

    References:
        Zhou et al. 2016, equation 2.
    """
    if student.plan.kind != "cam":
        raise InvalidArgument(f"student {student.plan.kind!r}: maps are exact for kind cam alone.")
    features = student.features(observation)
    return torch.einsum("bchw,ac->bahw", features, student.actor.weight)


def _choice(plan: StudentPlan) -> nn.Module:
    return WinnerTakesAll(plan.block, plan.temperature) if plan.kind == "lwta" else nn.ReLU()
