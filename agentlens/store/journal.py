"""An append-only file beside a chain of digests: what is in it, and that it is unaltered.

Each batch of the data file has one line in the chain file: a JSON object with the caller's fields
and ``end`` (the data file's length after the batch), a space, and a SHA-256 over the previous
line's digest, the batch's bytes and the JSON text. A batch is written before its line, so a killed
writer leaves a chain that describes whole batches only, and a reader beside a writer sees only
those. Nothing but verified bytes is ever parsed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from agentlens.errors import Corrupt, DiskError
from agentlens.store.atomic import disk_errors, open_for_writing, write_all
from agentlens.store.sealed_json import parse

_MAX_LINE = 16 * 1024 * 1024
_START = b"\0" * 32


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One verified batch: bytes ``start`` to ``stop`` of the data file, and what its line says."""

    start: int
    stop: int
    fields: Mapping[str, Any]
    digest: bytes


@dataclass(frozen=True, kw_only=True)
class Chain:
    """The verified batches, and why there are no more: "" at a clean or torn end."""

    batches: tuple[Batch, ...]
    problem: str

    @property
    def end(self) -> int:
        """Verified bytes of the data file."""
        return self.batches[-1].stop if self.batches else 0


def _link(previous: bytes, data: bytes | memoryview, text: bytes) -> bytes:
    digest = hashlib.sha256(previous)
    digest.update(data)
    digest.update(text)
    return digest.digest()


class JournalWriter:
    """Appends batches to a data file and its chain.

    ``keep``: the chain found by ``read_chain``; both files are cut to it and go on from there.
    Without it both begin anew, and readers of the old files keep what they have open.
    ``sha256``: of the data file so far (of what was written through this object).
    """

    def __init__(self, data_path: Path, chain_path: Path, keep: Chain | None = None) -> None:
        self.data_path, self._chain_path = data_path, chain_path
        self.sha256 = hashlib.sha256()
        batches = keep.batches if keep else ()
        self.end = keep.end if keep else 0
        self._digest = batches[-1].digest if batches else _START
        self._broken = ""
        with disk_errors(data_path, "write"):
            if keep is None:
                data_path.unlink(missing_ok=True)
                chain_path.unlink(missing_ok=True)
            else:
                _cut_lines(chain_path, len(batches))
            self._data = open_for_writing(data_path, os.O_WRONLY | os.O_APPEND)
            self._chain = open_for_writing(chain_path, os.O_WRONLY | os.O_APPEND)
            os.ftruncate(self._data, self.end)

    def append(self, data: bytes | memoryview, fields: Mapping[str, Any]) -> None:
        """Write one batch and its line; both are with the operating system on return.

        Raises:
            DiskError: full, failing or read-only; earlier batches are intact, this object is spent.
        """
        if self._broken:
            raise DiskError(self._broken)
        text = json.dumps({**fields, "end": self.end + len(data)}, allow_nan=False).encode()
        digest = _link(self._digest, data, text)
        self._broken = (
            f"{self.data_path}: an earlier batch was interrupted; open it again to go on."
        )
        try:
            with disk_errors(self.data_path, "write"):
                write_all(self._data, data)
            with disk_errors(self._chain_path, "write"):
                write_all(self._chain, text + b" " + digest.hex().encode() + b"\n")
        except DiskError as error:
            self._broken = str(error)
            raise
        self._broken = ""
        self.sha256.update(data)
        self.end += len(data)
        self._digest = digest

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        with disk_errors(self.data_path, "sync"):
            os.fsync(self._data)
            os.fsync(self._chain)

    def close(self) -> None:
        """Close both files; twice is fine."""
        if self._data >= 0:
            os.close(self._data)
            os.close(self._chain)
            self._data = self._chain = -1


def read_chain(data_path: Path, chain_path: Path) -> Chain:
    """Verify a data file against its chain, batch by batch, up to the first one that does not fit.

    A last line without its end is what a kill leaves and no problem; nor are bytes behind the
    last line. Costs one pass over the data, one batch in memory at a time.

    Raises:
        DiskError: a file cannot be read.
    """
    if not data_path.is_file() or not chain_path.is_file():
        begun = any(path.is_file() and path.stat().st_size for path in (data_path, chain_path))
        problem = f"{data_path.name} or {chain_path.name} is missing" if begun else ""
        return Chain(batches=(), problem=problem)
    batches: list[Batch] = []
    problem = ""
    with (
        disk_errors(data_path, "read"),
        data_path.open("rb") as data,
        chain_path.open("rb") as chain,
    ):
        while (line := chain.readline(_MAX_LINE)).endswith(b"\n"):
            batch = _verified(batches, line, data)
            if batch is None:
                problem = f"batch {len(batches)} does not fit its digest in {chain_path.name}"
                break
            batches.append(batch)
    return Chain(batches=tuple(batches), problem=problem)


def _verified(batches: list[Batch], line: bytes, data: BinaryIO) -> Batch | None:
    text, _, digest = line[:-1].rpartition(b" ")
    start = batches[-1].stop if batches else 0
    try:
        fields = parse(text, "chain")
    except Corrupt:
        return None
    stop = fields.pop("end", None) if isinstance(fields, dict) else None
    if type(stop) is not int or not start <= stop <= os.fstat(data.fileno()).st_size:
        return None
    expected = _link(batches[-1].digest if batches else _START, data.read(stop - start), text)
    if expected.hex().encode() != digest:
        return None
    return Batch(start=start, stop=stop, fields=fields, digest=expected)


def _cut_lines(path: Path, count: int) -> None:
    """Keep the first ``count`` lines of a file."""
    with os.fdopen(open_for_writing(path, os.O_RDWR), "r+b") as file:
        for _ in range(count):
            file.readline()
        file.truncate(file.tell())
