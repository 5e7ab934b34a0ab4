"""Torch files read as tensors and nothing else, their claims checked before memory is spent."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.policies.archive import Archive, open_archive
from agentlens.policies.picklescan import BROKEN_PICKLE, MAX_PICKLE_BYTES, Claims, scan_pickle
from agentlens.policies.weights import check_file

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_NESTED = ("state_dict", "model_state_dict", "model", "policy", "agent", "network", "net")


def read_torch_file(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a torch file, zip or legacy, onto the CPU.

    Raises:
        CheckpointError: no such file, or not a torch file.
        UnsafeCheckpoint: it holds anything but tensors, or claims more than it has.
    """
    check_file(path)
    return read_torch_bytes(path.read_bytes(), str(path))


def read_torch_bytes(data: bytes, name: str) -> dict[str, Tensor]:
    """Read a state dict from the bytes of a torch file; see :func:`read_torch_file`.

    A dict of dicts gives the one under a common name ("model_state_dict") or the only one that
    holds tensors.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        _check_zip(data, name)
    elif looks_legacy(data):
        _check_legacy(data, name)
    else:
        raise _foreign(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (*BROKEN_PICKLE, RuntimeError, AssertionError) as error:
        raise CheckpointError(f"{name}: torch cannot read it ({error}).") from error
    return _state_dict(content, name)


def looks_like_torch(path: Path) -> bool:
    """Whether a file begins like a torch file (zip with a data.pkl, or legacy); reads little."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return any(n.endswith("/data.pkl") for n in archive.namelist())
        with path.open("rb") as file:
            return looks_legacy(file.read(32))
    except (OSError, zipfile.BadZipFile):
        return False


def looks_legacy(data: bytes) -> bool:
    """Whether bytes begin with the pickled magic number of torch's first format."""
    magic = b"\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")
    return data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04") and magic in data[:32]


def _check_zip(data: bytes, name: str) -> None:
    archive = open_archive(io.BytesIO(data), name, stored_only=True)
    pickles = [n for n in archive.names if n.endswith("data.pkl") and n.count("/") == 1]
    if len(pickles) != 1:
        raise CheckpointError(f"{name}: a zip without a data.pkl; expected a torch state dict.")
    root = pickles[0].removesuffix("data.pkl")
    for member in archive.names:
        if not member.startswith(root) or member.startswith(f"{root}code/"):
            raise UnsafeCheckpoint(
                f"{name}: holds {member!r}, which is no part of a state dict (a compiled or "
                "scripted model?). Save the state_dict() alone."
            )
    claims = scan_pickle(io.BytesIO(archive.read(pickles[0], MAX_PICKLE_BYTES)), name)
    _check_records(archive, root, claims, name)


def _check_records(archive: Archive, root: str, claims: Claims, name: str) -> None:
    for key, claim in claims.storages.items():
        there = archive.sizes.get(f"{root}data/{key}", 0)
        if claim.size > there:
            raise UnsafeCheckpoint(
                f"{name}: storage {key!r} claims {claim.size:,} bytes, the file has {there:,}."
            )


def _check_legacy(data: bytes, name: str) -> None:
    stream = io.BytesIO(data)
    for _ in ("magic number", "protocol", "system"):
        scan_pickle(stream, name)
    claims = scan_pickle(stream, name)
    keys = scan_pickle(stream, name).content
    if not isinstance(keys, list) or {str(k) for k in keys} != set(claims.storages):
        raise CheckpointError(f"{name}: its list of storages does not match its tensors.")
    for key in keys:
        claim = claims.storages[str(key)]
        header = stream.read(8)
        elements = struct.unpack("<q", header)[0] if len(header) == 8 else -1
        there = len(data) - stream.tell()
        if elements != claim.elements or claim.size > there:
            raise UnsafeCheckpoint(
                f"{name}: storage {key!r} claims {claim.size:,} bytes, the file has {there:,} left."
            )
        stream.seek(claim.size, io.SEEK_CUR)


def _foreign(data: bytes, name: str) -> CheckpointError:
    if data[:1] == b"\x80":
        return UnsafeCheckpoint(
            f"{name}: a bare pickle, which can run any code when read; nothing was run. "
            "Expected a torch state dict, a safetensors file or an SB3 zip."
        )
    return CheckpointError(f"{name}: not a torch file (it begins with {data[:8]!r}).")


def _state_dict(content: Any, name: str) -> dict[str, Tensor]:
    if isinstance(content, dict):
        own = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if own:
            return own
        inner = {str(k): v for k, v in content.items() if isinstance(v, dict)}
        holding = [k for k, v in inner.items() if any(isinstance(t, Tensor) for t in v.values())]
        chosen = [k for k in _NESTED if k in holding] or holding
        if len(chosen) == 1 or (chosen and chosen[0] in _NESTED):
            found = inner[chosen[0]]
            return {str(k): v for k, v in found.items() if isinstance(v, Tensor)}
        if len(chosen) > 1:
            raise CheckpointError(
                f"{name}: several dicts of tensors ({', '.join(chosen)}); save the policy's alone."
            )
    raise CheckpointError(f"{name}: no dict of tensors in it; expected a state dict.")
