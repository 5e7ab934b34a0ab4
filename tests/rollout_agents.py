"""Tiny agents for the tests of rollouts: a policy small enough to run everywhere."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from agentlens.envs.protocols import resolve
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.spec import ActionSpec, AgentSpec

MEANINGS = {
    "pong": ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE"),
    "breakout": ("NOOP", "FIRE", "RIGHT", "LEFT"),
}


class TinyPolicy(Policy):
    """Random weights on a coarse grid of pixels, with memory if wanted."""

    def __init__(self, spec: AgentSpec, state_size: int = 0) -> None:
        super().__init__()
        self.observation_shape = spec.observation.shape
        self.action_meanings = spec.action.meanings
        self.state_size = state_size
        self.kind: Literal["logits", "q_values"] = "logits"
        self.has_value = True
        generator = torch.Generator().manual_seed(5)
        planes, rows, columns = spec.observation.shape
        features = planes * len(range(0, rows, 7)) * len(range(0, columns, 7))
        outputs = len(spec.action.meanings) + 1 + state_size
        weights = torch.randn(features + state_size, outputs, generator=generator) / 4
        self.weights = torch.nn.Parameter(weights, requires_grad=False)
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        features = observation[:, :, ::7, ::7].flatten(1)
        if state is not None:
            features = torch.cat([features, state], dim=1)
        out = features @ self.weights
        actions = len(self.action_meanings)
        memory = torch.tanh(out[:, actions + 1 :]) if self.state_size else None
        return PolicyOutput(out[:, :actions], "logits", out[:, actions], memory)


def tiny_agent(
    folder: Any,
    env_id: str = "ALE/Pong-v5",
    *,
    preset: str = "sb3-atari",
    state_size: int = 0,
    selection: Literal["sample", "greedy", "epsilon"] = "sample",
    **environment: Any,
) -> Agent:
    """An agent of random weights with a folder of its own."""
    protocol = resolve(env_id, preset=preset, environment={"frame_skip": 4, **environment})
    spec = AgentSpec(
        name="tiny",
        format="safetensors",
        environment=protocol.environment,
        observation=protocol.observation,
        action=ActionSpec(meanings=MEANINGS[protocol.environment.game], selection=selection),
        preset=preset,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.toml").write_text("# a stand-in\n")
    return Agent(spec=spec, policy=TinyPolicy(spec, state_size), folder=folder)
