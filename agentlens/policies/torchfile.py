"""Torch files read as tensors and plain values, their claims checked before memory is spent.

PyTorch's own loader is never called: one reader decides by the first bytes what a file is, checks
what it claims and builds the tensors from that, so no second reader can see another file.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.policies.archive import open_archive
from agentlens.policies.foreign import foreign_file
from agentlens.policies.picklescan import MAX_PICKLE_BYTES, Claims, TensorClaim, scan_pickle
from agentlens.policies.weights import check_file

ZIP_START = b"PK\x03\x04"
MAX_NODES = 100_000
MAX_DEPTH = 16
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C

Plain = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class TorchFile:
    """What a torch file holds, by the dotted path through its dicts.

    ``tensors``: such as "model_state_dict.conv1.weight" in a dict of dicts. ``plain``: numbers,
    text and truth values. ``dicts``: the path of every dict that holds a tensor itself, "" for
    the outermost.
    """

    name: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    plain: dict[str, Plain] = field(default_factory=dict)
    dicts: tuple[str, ...] = ()


def read_torch_file(path: Path) -> TorchFile:
    """Read a torch file, zip or legacy, onto the CPU.

    Raises:
        CheckpointError: no such file, or not a torch file; names what it is where that is known.
        UnsafeCheckpoint: it holds anything but tensors and plain values, or claims more than it
            has.
    """
    check_file(path)
    return read_torch_bytes(path.read_bytes(), str(path))


def read_torch_bytes(data: bytes, name: str) -> TorchFile:
    """Read the bytes of a torch file; see :func:`read_torch_file`."""
    if data.startswith(ZIP_START):
        claims, storages = _read_zip(data, name)
    elif looks_legacy(data):
        claims, storages = _read_legacy(data, name)
    else:
        raise foreign_file(data, name)
    return _collect(claims, storages, name)


def looks_legacy(data: bytes) -> bool:
    """Whether bytes begin with the pickled magic number of torch's first format."""
    magic = b"\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")
    return data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04") and magic in data[:32]


Storages = Callable[[str], bytes]
"""The bytes of a storage by its key."""


def _read_zip(data: bytes, name: str) -> tuple[Claims, Storages]:
    archive = open_archive(data, name, stored_only=True)
    pickles = [n for n in archive.names if n.endswith("/data.pkl") and n.count("/") == 1]
    if len(pickles) != 1:
        raise foreign_file(data, name, archive.names)
    root = pickles[0].removesuffix("data.pkl")
    for member in archive.names:
        if not member.startswith(root) or member.startswith(f"{root}code/"):
            raise UnsafeCheckpoint(
                f"{name}: holds {member[:80]!r}, which is no part of a state dict (a compiled or "
                "scripted model?). Save the state_dict() alone."
            )
    if f"{root}byteorder" in archive.sizes and archive.read(f"{root}byteorder", 64) != b"little":
        raise CheckpointError(f"{name}: written on a big-endian machine; save it on another.")
    claims = scan_pickle(io.BytesIO(archive.read(pickles[0], MAX_PICKLE_BYTES)), name)
    for key, claim in claims.storages.items():
        there = archive.sizes.get(f"{root}data/{key}", 0)
        if claim.size > there:
            raise UnsafeCheckpoint(
                f"{name}: storage {key!r} claims {claim.size:,} bytes, the file has {there:,}."
            )

    def storage(key: str) -> bytes:
        return archive.read(f"{root}data/{key}", len(data)) if claims.storages[key].size else b""

    return claims, storage


def _read_legacy(data: bytes, name: str) -> tuple[Claims, Storages]:
    stream = io.BytesIO(data)
    scan_pickle(stream, name)
    scan_pickle(stream, name)
    system = scan_pickle(stream, name).content
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise CheckpointError(f"{name}: does not say that it was written on a usual machine.")
    claims = scan_pickle(stream, name)
    keys = scan_pickle(stream, name).content
    named = isinstance(keys, list) and all(type(k) in (str, int) for k in keys)
    if not named or sorted(map(str, keys)) != sorted(claims.storages):
        raise CheckpointError(f"{name}: its list of storages does not match its tensors.")
    places: dict[str, tuple[int, int]] = {}
    for key in map(str, keys):
        claim, header = claims.storages[key], stream.read(8)
        elements = struct.unpack("<q", header)[0] if len(header) == 8 else -1
        there = len(data) - stream.tell()
        if elements != claim.elements or claim.size > there:
            raise UnsafeCheckpoint(
                f"{name}: storage {key!r} claims {claim.size:,} bytes, the file has {there:,} left."
            )
        places[key] = (stream.tell(), stream.tell() + claim.size)
        stream.seek(claim.size, io.SEEK_CUR)
    return claims, lambda key: data[slice(*places[key])]


def _collect(claims: Claims, storages: Storages, name: str) -> TorchFile:
    if not isinstance(claims.content, dict | TensorClaim):
        raise CheckpointError(f"{name}: no dict of tensors in it; expected a state dict.")
    content = claims.content if isinstance(claims.content, dict) else {"tensor": claims.content}
    file, whole, dicts = TorchFile(name=name), dict[str, Tensor](), dict[str, None]()
    for folder, path, value in _leaves(content, name):
        if path in file.tensors or path in file.plain:
            raise CheckpointError(f"{name}: {path!r} can be reached on two ways.")
        if not isinstance(value, TensorClaim):
            file.plain[path] = value
            continue
        key, count = value.storage.key, value.storage.elements
        if key not in whole:
            content_bytes = bytearray(storages(key)[: value.storage.size])
            whole[key] = (
                torch.frombuffer(content_bytes, dtype=value.storage.dtype)
                if count
                else torch.empty(0, dtype=value.storage.dtype)
            )
        file.tensors[path] = whole[key].as_strided(value.shape, value.stride, value.offset)
        dicts[folder] = None
    return TorchFile(name=name, tensors=file.tensors, plain=file.plain, dicts=tuple(dicts))


def _leaves(content: dict[Any, Any], name: str) -> Iterator[tuple[str, str, Any]]:
    """Tensors and plain values of dicts in dicts, each with its dict's path and its own; what lies
    in lists is left out."""
    todo: list[tuple[str, int, Any]] = [("", 0, content)]
    nodes = 0
    while todo:
        prefix, depth, table = todo.pop()
        if depth > MAX_DEPTH:
            raise UnsafeCheckpoint(f"{name}: dicts nested deeper than {MAX_DEPTH}.")
        inner = []
        for key, value in table.items():
            nodes += 1
            if nodes > MAX_NODES:
                raise UnsafeCheckpoint(f"{name}: more than {MAX_NODES:,} entries.")
            path = f"{prefix}{key}"
            if isinstance(value, dict):
                inner.append((f"{path}.", depth + 1, value))
            elif isinstance(value, TensorClaim) or type(value) in (str, int, float, bool):
                yield prefix[:-1], path, value
        todo += reversed(inner)
