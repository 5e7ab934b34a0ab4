"""Policies that look at nothing: the baselines."""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.arrays import check_shape
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.spec import AgentSpec


class ConstantPolicy(Policy):
    """The same logits for every observation; no weights, no value, no memory."""

    def __init__(self, spec: AgentSpec, logits: tuple[float, ...]) -> None:
        super().__init__()
        self.observation_shape = spec.observation.shape
        self.channels = spec.observation.channels
        self.action_meanings = spec.action.meanings
        self.state_size = 0
        self.kind = "logits"
        self.has_value = False
        self.register_buffer("constant", torch.tensor(logits))
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch; see :meth:`Policy.forward`."""
        check_shape("observation", observation, (None, *self.observation_shape))
        constant = self.get_buffer("constant")
        return PolicyOutput(constant.repeat(len(observation), 1), "logits")
