"""Checkpoints of greydanus/baby-a3c: a state dict in torch's legacy format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from agentlens.policies.architectures import architecture
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.signature import Signature
from agentlens.policies.state_dicts import select
from agentlens.policies.torchfile import read_torch_file
from agentlens.policies.weights import collect, rows
from agentlens.spec import ValueSpec

_SOURCES = {
    **{f"torso.{2 * i}": f"conv{i + 1}" for i in range(4)},
    "torso.9": "gru",
    "policy.0": "actor_linear",
    "value.0": "critic_linear",
}


def _likeness(file: Signature) -> int:
    ours = (b"conv4.weight", b"gru.weight_ih", b"actor_linear", b"critic_linear")
    torch_file = file.kind in ("torch", "torch-legacy")
    return 2 if torch_file and all(name in file.names for name in ours) else 0


def _ours(tensors: Mapping[str, Tensor]) -> bool | None:
    return "actor_linear.weight" in tensors or None


def _read(path: Path, hints: Hints) -> Checkpoint:
    tensors = select(read_torch_file(path), _ours).tensors
    actions = rows(tensors, "actor_linear.weight", 2)
    network = architecture("baby-a3c", actions)
    return Checkpoint(
        network=network,
        tensors=collect(network, tensors, _SOURCES),
        actions=actions,
        algorithm="A3C",
        preset="baby-a3c",
        selection="sample",
        reason="trained by sampling from its softmax",
        value=ValueSpec(gamma=0.99, reward="clipped"),
    )


FORMAT = Format(summary="baby-a3c (GRU, one 80x80 frame)", likeness=_likeness, read=_read)
