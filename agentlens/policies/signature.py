"""What a checkpoint file is by its first bytes: one look for every format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.policies.archive import Archive, open_archive
from agentlens.policies.picklescan import MAX_PICKLE_BYTES
from agentlens.policies.torchfile import ZIP_START, looks_legacy
from agentlens.policies.weights import check_file

_LEGACY_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The look of a file.

    ``kind``: "torch" (a zip with one data.pkl), "torch-legacy", "zip" (another one), "safetensors"
    or "other". ``start``: the first 512 bytes. ``members``: names in a readable zip. ``names``:
    bytes in which the names of a torch file's tensors stand. ``problem``: why a zip is not read.
    """

    path: Path
    kind: Literal["torch", "torch-legacy", "zip", "safetensors", "other"]
    start: bytes
    members: tuple[str, ...] = ()
    names: bytes = b""
    problem: CheckpointError | None = None


def _archive(data: bytes, name: str) -> Archive:
    """An archive of torch's own kind, or of another."""
    try:
        return open_archive(data, name, stored_only=True)
    except UnsafeCheckpoint:
        return open_archive(data, name)


def read_signature(path: Path) -> Signature:
    """Look at a file; runs nothing, believes nothing.

    Raises:
        CheckpointError: no such file, or too large to be looked at.
    """
    check_file(path)
    data = path.read_bytes()
    start = data[:512]
    if looks_legacy(data):
        return Signature(path=path, kind="torch-legacy", start=start, names=data[:_LEGACY_BYTES])
    if not data.startswith(ZIP_START):
        header = len(data) > 9 and data[8:9] == b"{" and data[7] == 0
        return Signature(path=path, kind="safetensors" if header else "other", start=start)
    try:
        archive = _archive(data, str(path))
        pickles = [n for n in archive.names if n.endswith("/data.pkl") and n.count("/") == 1]
        names = archive.read(pickles[0], MAX_PICKLE_BYTES) if len(pickles) == 1 else b""
    except CheckpointError as error:
        return Signature(path=path, kind="zip", start=start, problem=error)
    kind: Literal["torch", "zip"] = "torch" if len(pickles) == 1 else "zip"
    return Signature(path=path, kind=kind, start=start, members=archive.names, names=names)
