"""Torch state dicts: with a declared network, or of a layout known by its tensors' names."""

from __future__ import annotations

from pathlib import Path

from agentlens.errors import CheckpointError
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.layouts import find_layout
from agentlens.policies.torchfile import looks_like_torch, read_torch_file
from agentlens.policies.weights import collect, output_count, rows


def _likeness(path: Path) -> int:
    return 1 if looks_like_torch(path) else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    tensors = read_torch_file(path)
    if hints.network is not None:
        found = collect(hints.network, tensors, hints.sources) if hints.sources else tensors
        return Checkpoint(
            network=hints.network, tensors=found, actions=output_count(hints.network, found)
        )
    layout = find_layout(tensors)
    if layout is None:
        names = ", ".join(list(tensors)[:8])
        raise CheckpointError(
            f"{path}: no known layout has the tensors {names} ...; describe the network in a "
            "manifest ([network] chains and [sources])."
        )
    actions = rows(tensors, f"{layout.actor}.weight", 2)
    network = layout.network(actions)
    return Checkpoint(
        network=network,
        tensors=collect(network, tensors, layout.sources),
        actions=actions,
        algorithm=layout.algorithm,
        preset=layout.preset,
        selection=layout.selection,
        reason=layout.reason,
        assumed=(
            f"network = {layout.name}: planes oldest first, strides and activations as in "
            f"{layout.origin}",
        ),
    )


FORMAT = Format(
    summary="torch state dict (zip or legacy), read as tensors only",
    likeness=_likeness,
    read=_read,
)
