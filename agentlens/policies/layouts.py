"""State dicts that are known by the names and shapes of their tensors.

A layout says what its tensors cannot: strides, padding, activations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from agentlens.policies.architectures import architecture
from agentlens.spec import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One known layout: ``sources`` as in ``weights.collect``, ``actor`` the head with the
    actions."""

    name: str
    origin: str
    network: Callable[[int], NetworkSpec]
    sources: Mapping[str, str]
    actor: str
    first: tuple[str, int, int]
    """The first convolution's prefix, channels out and kernel."""
    algorithm: str
    preset: str = ""
    selection: Literal["sample", "greedy", "epsilon"]
    reason: str


_CLEANRL_TORSO = {f"torso.{i}": f"network.{i}" for i in (0, 2, 4, 7)}

LAYOUTS = (
    Layout(
        name="cleanrl-ppo",
        origin="CleanRL's ppo_atari.py (Nature CNN)",
        network=lambda actions: architecture("nature-cnn", actions),
        sources={**_CLEANRL_TORSO, "policy.0": "actor", "value.0": "critic"},
        actor="actor",
        first=("network.0", 32, 8),
        algorithm="PPO",
        preset="cleanrl-atari",
        selection="sample",
        reason="trained by sampling from its softmax",
    ),
    Layout(
        name="cleanrl-dqn",
        origin="CleanRL's dqn_atari.py (Nature CNN)",
        network=lambda actions: architecture("nature-dqn", actions),
        sources={**_CLEANRL_TORSO, "q.0": "network.9"},
        actor="network.9",
        first=("network.0", 32, 8),
        algorithm="DQN",
        preset="cleanrl-atari",
        selection="greedy",
        reason="Q-values have no softmax",
    ),
    Layout(
        name="a3c-ff",
        origin="the feed-forward network of Mnih et al. (2016)",
        network=lambda actions: architecture("a3c-ff", actions),
        sources={
            "torso.0": "conv1",
            "torso.2": "conv2",
            "torso.5": "fc",
            "policy.0": "actor",
            "value.0": "critic",
        },
        actor="actor",
        first=("conv1", 16, 8),
        algorithm="A3C",
        selection="sample",
        reason="trained by sampling from its softmax",
    ),
)
"""Every layout that an import recognises without a manifest."""


def find_layout(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout whose tensors are exactly these, by names and by the first convolution's shape."""
    names = {name for name in tensors if not name.endswith("num_batches_tracked")}
    for layout in LAYOUTS:
        wanted = {f"{s}.{p}" for s in layout.sources.values() for p in ("weight", "bias")}
        prefix, channels, kernel = layout.first
        if names == wanted:
            shape = tuple(tensors[f"{prefix}.weight"].shape)
            if len(shape) == 4 and (shape[0], *shape[2:]) == (channels, kernel, kernel):
                return layout
    return None
