"""Policies that do the same in another dress: exact twins that a map must not tell apart.

Shape letters: B rows, K planes, H W observation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput


class _Twin(Policy):
    """A policy around another, with its attributes."""

    def __init__(self, inner: Policy) -> None:
        super().__init__()
        self.inner = inner
        self.observation_shape, self.channels = inner.observation_shape, inner.channels
        self.action_meanings = inner.action_meanings
        self.state_size, self.kind = inner.state_size, inner.kind
        self.has_value = inner.has_value
        self.eval()


class ShiftedInput(_Twin):
    """Reads observations that are brighter by a constant, and does what the policy does.

    The constant is taken off in front of the network, so that padding, crops and the first
    layer's bias stay as they are.
    """

    def __init__(self, inner: Policy, shift: float) -> None:
        super().__init__(inner)
        self.shift = shift

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy``."""
        output: PolicyOutput = self.inner(observation - self.shift, state)
        return output


class ShiftedLogits(_Twin):
    """Adds one number to all logits of an observation: the same softmax, the same choices.

    The number is ``factor`` times the observation's mean, so that it changes wherever a pixel does.
    """

    def __init__(self, inner: Policy, factor: float) -> None:
        super().__init__(inner)
        self.factor = factor

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see ``Policy``."""
        output: PolicyOutput = self.inner(observation, state)
        shift = self.factor * torch.mean(observation, dim=(1, 2, 3))[:, None]
        return output._replace(preferences=output.preferences + shift.to(output.preferences))
