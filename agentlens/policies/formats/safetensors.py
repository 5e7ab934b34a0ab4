"""The program's own weight files: safetensors beside a declared network."""

from __future__ import annotations

from pathlib import Path

from agentlens.errors import CheckpointError
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.signature import Signature
from agentlens.policies.weights import collect, output_count, read_safetensors


def _likeness(file: Signature) -> int:
    return 2 if file.kind == "safetensors" or file.path.suffix == ".safetensors" else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    tensors = read_safetensors(path)
    if hints.network is None:
        raise CheckpointError(
            f"{path}: safetensors hold no network; describe it in a manifest ([network] chains)."
        )
    if hints.sources:
        tensors = collect(hints.network, tensors, hints.sources)
    return Checkpoint(
        network=hints.network, tensors=tensors, actions=output_count(hints.network, tensors)
    )


FORMAT = Format(summary="safetensors with a declared network", likeness=_likeness, read=_read)
