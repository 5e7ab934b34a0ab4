"""Policies small enough to work out by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentlens.policies.base import Policy, PolicyOutput

NAMES = ("NOOP", "FIRE", "RIGHT", "LEFT", "UP", "DOWN")


class LinearPolicy(Policy):
    """Outputs = weights x pixels + bias; the value reads the same pixels with weights of its own.

    ``weights``: [A, K, H, W]; ``value_weights``: [K, H, W] or None; ``memory``: [A] adds
    state[0] x memory to the outputs.
    """

    def __init__(
        self,
        weights: Tensor,
        bias: Tensor | None = None,
        value_weights: Tensor | None = None,
        *,
        kind: str = "logits",
        memory: Tensor | None = None,
    ) -> None:
        super().__init__()
        actions = len(weights)
        self.observation_shape = tuple(weights.shape[1:])
        self.action_meanings = NAMES[:actions]
        self.kind, self.has_value = kind, value_weights is not None
        self.state_size = 0 if memory is None else 1
        self.outputs = nn.Linear(weights[0].numel(), actions)
        self.outputs.weight.data = weights.flatten(1).clone()
        self.outputs.bias.data = torch.zeros(actions) if bias is None else bias.clone()
        self.critic = None
        if value_weights is not None:
            self.critic = nn.Linear(weights[0].numel(), 1, bias=False)
            self.critic.weight.data = value_weights.reshape(1, -1).clone()
        self.register_buffer("memory", memory)
        self.requires_grad_(False)
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        flat = observation.flatten(1)
        outputs = self.outputs(flat)
        if self.memory is not None:
            assert state is not None
            outputs = outputs + state * self.memory
        value = None if self.critic is None else self.critic(flat)[:, 0]
        after = None if state is None else state + 1
        return PolicyOutput(outputs, self.kind, value, after)


def constant_policy(
    kind: str = "logits", shape: tuple[int, int, int] = (2, 12, 12)
) -> LinearPolicy:
    """A policy that looks at nothing."""
    value = torch.zeros(shape) if kind == "logits" else None
    bias = torch.tensor([0.3, -1.0, 2.0])
    return LinearPolicy(torch.zeros(3, *shape), bias, value, kind=kind)


def planted_policy(
    plane: int,
    row: int,
    column: int,
    shape: tuple[int, int, int] = (4, 84, 84),
    kind: str = "logits",
) -> LinearPolicy:
    """A policy that reads one pixel of one plane."""
    weights = torch.zeros(3, *shape)
    weights[0, plane, row, column] = 4.0
    weights[1, plane, row, column] = -2.0
    value = torch.zeros(shape)
    value[plane, row, column] = 1.5
    return LinearPolicy(weights, None, value if kind == "logits" else None, kind=kind)
