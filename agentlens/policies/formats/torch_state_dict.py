"""Torch state dicts: with a declared network, or of a layout known by its tensors' names."""

from __future__ import annotations

from pathlib import Path

from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.layouts import state_dict_checkpoint
from agentlens.policies.signature import Signature
from agentlens.policies.torchfile import read_torch_file


def _likeness(file: Signature) -> int:
    return 1 if file.kind in ("torch", "torch-legacy") else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    return state_dict_checkpoint(read_torch_file(path), hints)


FORMAT = Format(
    summary="torch state dict (zip or legacy), read as tensors only",
    likeness=_likeness,
    read=_read,
)
