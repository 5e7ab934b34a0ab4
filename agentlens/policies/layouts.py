"""State dicts that are known by the names and shapes of their tensors.

A layout says what its tensors cannot: strides, padding, activations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from agentlens.envs.atari.presets import PRESETS
from agentlens.errors import CheckpointError, WeightMismatch
from agentlens.layer_spec import NetworkSpec
from agentlens.policies.architectures import architecture
from agentlens.policies.checkpoint import Checkpoint, Hints
from agentlens.policies.state_dicts import plain_names, select
from agentlens.policies.torchfile import TorchFile
from agentlens.policies.weights import collect, foreign_names, output_count, rows
from agentlens.spec import ValueSpec


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
    preset_assumed: bool = False
    environment: Mapping[str, Any] = field(default_factory=dict)
    value: ValueSpec = field(default_factory=ValueSpec)
    selection: Literal["sample", "greedy", "epsilon"]
    reason: str


_CLEANRL_TORSO = {f"torso.{i}": f"network.{i}" for i in (0, 2, 4, 7)}
_CLIPPED = ValueSpec(gamma=0.99, reward="clipped")
_ENVPOOL_EPISODIC = {
    "terminal_on_life_loss": True,
    "after_life_loss": PRESETS["envpool"].environment["start"],
}

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
        value=_CLIPPED,
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
        value=_CLIPPED,
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
    Layout(
        name="cleanrl-pqn",
        origin="CleanRL's pqn_atari_envpool.py",
        network=lambda actions: architecture("pqn", actions),
        sources={
            **{f"torso.{i}": f"network.{i}" for i in (0, 1, 3, 4, 6, 7, 10, 11)},
            "q.0": "network.13",
        },
        actor="network.13",
        first=("network.0", 32, 8),
        algorithm="PQN",
        preset="envpool",
        environment=_ENVPOOL_EPISODIC,
        value=_CLIPPED,
        selection="greedy",
        reason="Q-values have no softmax",
    ),
    Layout(
        name="cleanrl-ppo-lstm",
        origin="CleanRL's ppo_atari_lstm.py",
        network=lambda actions: architecture("nature-lstm", actions),
        sources={
            **_CLEANRL_TORSO,
            "torso.9": "lstm.*_l0",
            "policy.0": "actor",
            "value.0": "critic",
        },
        actor="actor",
        first=("network.0", 32, 8),
        algorithm="PPO with an LSTM",
        preset="cleanrl-atari",
        value=_CLIPPED,
        selection="sample",
        reason="trained by sampling from its softmax",
    ),
    Layout(
        name="greydanus-lstm",
        origin="visualize_atari of Greydanus et al. (2018), trained on -v0 ids",
        network=lambda actions: architecture("greydanus-lstm", actions),
        sources={
            **{f"torso.{2 * i}": f"conv{i + 1}" for i in range(4)},
            "torso.9": "lstm",
            "policy.0": "actor_linear",
            "value.0": "critic_linear",
        },
        actor="actor_linear",
        first=("conv1", 32, 3),
        algorithm="A3C",
        preset="baby-a3c",
        preset_assumed=True,
        value=_CLIPPED,
        selection="sample",
        reason="trained by sampling from its softmax",
    ),
)
"""Every layout that an import recognises without a manifest."""


def find_layout(tensors: Mapping[str, Tensor]) -> Layout | None:
    """The layout whose tensors are exactly these, by names and by the first convolution's shape."""
    names = {name for name in tensors if not name.endswith("num_batches_tracked")}
    for layout in LAYOUTS:
        prefix, channels, kernel = layout.first
        if names == set(foreign_names(layout.network(2), layout.sources)):
            shape = tuple(tensors[f"{prefix}.weight"].shape)
            if len(shape) == 4 and (shape[0], *shape[2:]) == (channels, kernel, kernel):
                return layout
    return None


def layout_checkpoint(
    layout: Layout, tensors: Mapping[str, Tensor], assumed: tuple[str, ...] = ()
) -> Checkpoint:
    """What a state dict of a known layout says.

    Raises:
        WeightMismatch: its actor is empty or no matrix.
    """
    actions = rows(tensors, f"{layout.actor}.weight", 2)
    network = layout.network(actions)
    planes = int(tensors[f"{layout.first[0]}.weight"].shape[1])
    return Checkpoint(
        network=network,
        tensors=collect(network, tensors, layout.sources),
        actions=actions,
        algorithm=layout.algorithm,
        observation={"stack": planes} if layout.preset else {},
        environment=layout.environment,
        preset=layout.preset,
        preset_assumed=layout.preset_assumed,
        selection=layout.selection,
        reason=layout.reason,
        value=layout.value,
        assumed=(
            f"network = {layout.name}: planes oldest first, strides and activations as in "
            f"{layout.origin}",
            *assumed,
        ),
    )


def state_dict_checkpoint(file: TorchFile, hints: Hints) -> Checkpoint:
    """What a file of tensors says: of the network that the caller declares, or of a known layout.

    Raises:
        CheckpointError: the tensors fit neither, or several dicts do; names them.
    """
    if hints.network is None:
        selection = select(file, find_layout)
        return layout_checkpoint(selection.fit, selection.tensors, selection.assumed)
    tensors, assumed = _declared(file, hints.network, hints.sources)
    actions = output_count(hints.network, tensors)
    return Checkpoint(network=hints.network, tensors=tensors, actions=actions, assumed=assumed)


def _declared(
    file: TorchFile, network: NetworkSpec, sources: Mapping[str, str]
) -> tuple[Mapping[str, Tensor], tuple[str, ...]]:
    """The tensors of a declared network, by their path from the top or within one dict."""
    if not sources:
        selection = select(file, lambda tensors: tensors or None)
        return selection.tensors, selection.assumed
    try:
        return collect(network, plain_names(file.tensors), sources), ()
    except WeightMismatch as mismatch:
        try:
            inner = select(file, lambda tensors: _collected(network, tensors, sources))
        except CheckpointError:
            raise mismatch from None
        return inner.fit, inner.assumed


def _collected(
    network: NetworkSpec, tensors: Mapping[str, Tensor], sources: Mapping[str, str]
) -> Mapping[str, Tensor] | None:
    try:
        return collect(network, tensors, sources)
    except WeightMismatch:
        return None
