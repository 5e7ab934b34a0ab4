"""Small policies with known structure for the engine's tests: a convolution chain and a head."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from agentlens.policies.base import Policy, PolicyOutput, Projection, Trunk, plain_trunk


class SmallPolicy(Policy):
    """Convolutions, then a linear map or a GRU, then an actor and a critic."""

    def __init__(
        self,
        convolutions: Sequence[nn.Conv2d],
        activation: nn.Module,
        observation_shape: tuple[int, int, int],
        *,
        hidden: int = 8,
        actions: int = 3,
        recurrent: bool = False,
        projects: bool = True,
    ) -> None:
        super().__init__()
        self.observation_shape = observation_shape
        self.action_meanings = tuple(f"A{index}" for index in range(actions))
        self.kind: Literal["logits", "q_values"] = "logits"
        self.has_value = True
        self.state_size = hidden if recurrent else 0
        self.convolutions = nn.ModuleList(convolutions)
        self.activations = nn.ModuleList(copy.deepcopy(activation) for _ in convolutions)
        self.rectify = nn.ReLU()
        self._projects = projects
        size = self._features(torch.zeros(1, *observation_shape)).flatten(1).shape[1]
        self.linear = nn.Linear(size, hidden)
        self.cell = nn.GRUCell(size, hidden) if recurrent else None
        self.actor, self.critic = nn.Linear(hidden, actions), nn.Linear(hidden, 1)
        self.requires_grad_(False)
        self.eval()

    def _features(self, hidden: Tensor) -> Tensor:
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            hidden = activation(convolution(hidden))
        return hidden

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        return self.head(self._features(observation), state)

    def trunk(self) -> Trunk:
        return plain_trunk(list(self.convolutions), list(self.activations))  # type: ignore[arg-type]

    def head(self, features: Tensor, state: Tensor | None = None) -> PolicyOutput:
        flat = features.flatten(1)
        if self.cell is None:
            return self._outputs(self.rectify(self.linear(flat)), None)
        hidden = self.cell(flat, state)
        return self._outputs(hidden, hidden)

    def projection(self) -> Projection | None:
        if not self._projects:
            return None
        if self.cell is None:
            return Projection(self.linear.weight, self.linear.bias)
        return Projection(self.cell.weight_ih, self.cell.bias_ih)

    def finish(self, projected: Tensor, state: Tensor | None = None) -> PolicyOutput:
        if self.cell is None:
            return self._outputs(projected.relu(), None)
        assert state is not None
        memory = nn.functional.linear(state, self.cell.weight_hh, self.cell.bias_hh)
        reset_in, update_in, new_in = projected.chunk(3, dim=1)
        reset_memory, update_memory, new_memory = memory.chunk(3, dim=1)
        reset, update = (reset_in + reset_memory).sigmoid(), (update_in + update_memory).sigmoid()
        new = (new_in + reset * new_memory).tanh()
        hidden = new + update * (state - new)
        return self._outputs(hidden, hidden)

    def _outputs(self, hidden: Tensor, state: Tensor | None) -> PolicyOutput:
        return PolicyOutput(self.actor(hidden), "logits", self.critic(hidden).squeeze(1), state)


def nature(seed: int = 0, projects: bool = True) -> SmallPolicy:
    """The network of Mnih et al. 2015 with initial weights."""
    torch.manual_seed(seed)
    convolutions = [nn.Conv2d(4, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3, 1)]
    return SmallPolicy(
        convolutions, nn.ReLU(), (4, 84, 84), hidden=512, actions=6, projects=projects
    )


def baby(seed: int = 0, projects: bool = True) -> SmallPolicy:
    """Four strided convolutions with ELU and a GRU, as in baby-a3c, with initial weights."""
    torch.manual_seed(seed)
    convolutions = [nn.Conv2d(1 if index == 0 else 32, 32, 3, 2, 1) for index in range(4)]
    return SmallPolicy(
        convolutions,
        nn.ELU(),
        (1, 80, 80),
        hidden=256,
        actions=6,
        recurrent=True,
        projects=projects,
    )
