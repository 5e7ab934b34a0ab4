"""One episode's file for reading: verified before it is parsed, read batch by batch."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from agentlens.errors import Corrupt, DiskError, Incompatible
from agentlens.provenance import file_digest
from agentlens.store import schema
from agentlens.store.atomic import disk_errors
from agentlens.store.columns import to_numpy, to_pairs
from agentlens.store.expected import check_columns, check_values, empty_column
from agentlens.store.header import EpisodeEntry, RecordingHeader
from agentlens.store.journal import read_chain
from agentlens.store.layout import chain_path, finished_path, part_path
from agentlens.store.sealed_json import parse

_BY_STEP = frozenset({schema.SCREEN, schema.SCREEN_BEFORE, schema.PLANE, schema.STACK_RESET})
"""Columns asked for step by step, so their last batches are kept."""

_CACHED_BATCHES = 16
_Read = TypeVar("_Read")
_MAGIC = 8


class EpisodeFile:
    """Columns of an episode, by step range.

    A finished episode (one with an ``entry``) is opened without touching its file; the first read
    compares the whole file with its digest (some 10 ms for 10 MB). Of an unfinished one, the
    batches that the chain vouches for at this moment are what it holds.

    Raises:
        Corrupt, Incompatible: when an unfinished file is not an episode of this version.
    """

    def __init__(
        self, folder: Path, index: int, entry: EpisodeEntry | None, header: RecordingHeader
    ) -> None:
        self.folder, self.index, self.entry = folder, index, entry
        self._part, self._finished = part_path(folder, index), finished_path(folder, index)
        self._header = header
        self._batches: list[tuple[int, int]] = []
        self._schema: pa.Schema | None = None
        self._checked: tuple[int, ...] = ()
        self.steps = entry.steps if entry else self._though_renamed(self._scan)
        self._cached = functools.lru_cache(maxsize=_CACHED_BATCHES)(self._read_batch)

    @property
    def path(self) -> Path:
        """Where the file lies now; an unfinished one may be renamed while it is read."""
        return self._part if self.entry is None and self._part.exists() else self._finished

    @property
    def schema(self) -> pa.Schema:
        """The columns, after the file was verified."""
        if self._schema is None:
            self.check()
            with _arrow_errors(self.path), pa.OSFile(str(self.path)) as file:
                reader = pa.ipc.open_file(file)
                self._check_schema(reader.schema)
                batches = -(-self.steps // schema.BATCH_STEPS)
                if reader.num_record_batches != batches:
                    raise Corrupt(
                        f"{self.path}: {reader.num_record_batches} batches, expected {batches} of "
                        f"{self.steps} steps."
                    )
                self._schema = reader.schema
        return self._schema

    @property
    def about(self) -> dict[str, Any]:
        """The episode's own note on its index, seed and version; empty for an unbegun file."""
        if not self.steps:
            return {}
        note = (self.schema.metadata or {}).get(b"agentlens", b"{}")
        note_value = parse(note, str(self.path))
        return note_value if isinstance(note_value, dict) else {}

    def check(self) -> None:
        """Compare a finished file with its digest.

        Raises:
            Corrupt: names the file, and the steps of the first altered batch.
        """
        if self.entry is None:
            return
        path = self.path
        if not path.is_file():
            raise Corrupt(f"{path}: the episode's file is missing.")
        with disk_errors(path, "read"):
            size = path.stat().st_size
            digest = file_digest(path)
        if size == self.entry.n_bytes and digest == self.entry.digest:
            self._checked = _signature(path)
            return
        if size != self.entry.n_bytes:
            reason = f"{size} bytes long, expected {self.entry.n_bytes}"
        else:
            reason = "it was altered after it was written"
        raise Corrupt(f"{path}: {reason}; {self._first_bad()}.")

    def check_chain(self) -> None:
        """Compare a finished file with its chain of digests.

        Raises:
            Corrupt: the chain was altered, or is missing.
        """
        if self.entry is None:
            return
        path = chain_path(self.folder, self.index)
        chain_rows = read_chain(self.path, path)
        rows = sum(int(batch.fields.get("rows", 0)) for batch in chain_rows.batches)
        if chain_rows.problem or chain_rows.end != self.entry.n_bytes or rows != self.steps:
            reason = chain_rows.problem or f"it vouches for {chain_rows.end} bytes and {rows} steps"
            raise Corrupt(
                f"{path}: the chain does not fit the episode, which is sound: {reason}. It tells "
                "where a damage lies; record the episode again to have it whole."
            )

    def read(self, name: str, start: int, stop: int) -> np.ndarray:
        """Rows ``start`` to ``stop`` of a column: a new array [n, ...] of the column's shape and
        dtype.

        Raises:
            Corrupt: the file was altered, or has no such column.
        """
        if not self.steps:
            return empty_column(name, self._header)
        numbers = self._touched(start, stop) or range(1)
        if name in _BY_STEP:
            values = [self._cached(name, number) for number in numbers]
        else:
            values = [self._values(name, batch) for batch in self._batches_of(name, numbers)]
        firsts = (number * schema.BATCH_STEPS for number in numbers)
        parts = zip(firsts, values, strict=True)
        return np.concatenate(
            [part[max(start - first, 0) : max(stop - first, 0)] for first, part in parts]
        )

    def read_pairs(self, start: int, stop: int) -> tuple[np.ndarray, ...]:
        """The ``forced`` column of rows ``start`` to ``stop``: int32 [n, 2] each."""
        numbers = self._touched(start, stop)
        rows: list[np.ndarray] = []
        for batch in self._batches_of(schema.FORCED, numbers):
            rows += to_pairs(batch.column(0))
        first = numbers[0] * schema.BATCH_STEPS if numbers else 0
        return tuple(rows[start - first : stop - first])

    def has(self, name: str) -> bool:
        """Whether the file has a column."""
        return self.steps > 0 and name in self.schema.names

    def _touched(self, start: int, stop: int) -> range:
        """Numbers of the batches that hold steps ``start`` to ``stop``."""
        if stop <= start:
            return range(0)
        return range(start // schema.BATCH_STEPS, (stop - 1) // schema.BATCH_STEPS + 1)

    def _read_batch(self, name: str, number: int) -> np.ndarray:
        return self._values(name, self._batches_of(name, range(number, number + 1))[0])

    def _values(self, name: str, batch: Any) -> np.ndarray:
        values = to_numpy(name, batch.column(0), batch.schema.field(0))
        check_values(self.path, name, values, self._header)
        return values

    def _batches_of(self, name: str, numbers: range) -> list[Any]:
        """One column of some batches, decompressed and checked."""
        position = self.schema.get_field_index(name)
        if position < 0:
            raise Corrupt(f"{self.path}: it has no column {name!r}.")
        return self._though_renamed(lambda: self._opened_batches(position, name, numbers))

    def _opened_batches(self, position: int, name: str, numbers: range) -> list[Any]:
        if self.entry is not None and _signature(self.path) != self._checked:
            # Written to since it was compared with its digest.
            self.check()
        options = pa.ipc.IpcReadOptions(included_fields=[position], use_threads=False)
        with _arrow_errors(self.path), pa.OSFile(str(self.path)) as file:
            if self.entry is not None:
                reader = pa.ipc.open_file(file, options=options)
                batches = [reader.get_batch(number) for number in numbers]
            else:
                batches = [self._unfinished_batch(file, number, name) for number in numbers]
            for number, batch in zip(numbers, batches, strict=True):
                batch.validate(full=True)
                rows = min(schema.BATCH_STEPS, self.steps - number * schema.BATCH_STEPS)
                if batch.num_rows != rows:
                    raise Corrupt(
                        f"{self.path}: batch {number} has {batch.num_rows} steps, expected {rows}."
                    )
        return batches

    def _though_renamed(self, read: Callable[[], _Read]) -> _Read:
        """Read; once more where the writer finished the file between looking for it and opening
        it."""
        try:
            return read()
        except DiskError:
            if self.entry is not None or not self._finished.is_file():
                raise
            return read()

    def _unfinished_batch(self, file: Any, number: int, name: str) -> Any:
        start, stop = self._batches[number]
        file.seek(start)
        message = pa.ipc.read_message(file.read_buffer(stop - start))
        return pa.ipc.read_record_batch(message, self.schema).select([name])

    def _scan(self) -> int:
        """Find the verified batches of an unfinished file; returns how many steps they hold."""
        path = self.path
        self._batches = []
        chain = read_chain(path, chain_path(self.folder, self.index))
        steps = 0
        for batch in chain.batches:
            rows = batch.fields.get("rows")
            full = steps % schema.BATCH_STEPS == 0
            if type(rows) is not int or not 0 <= rows <= schema.BATCH_STEPS or not full:
                break
            if rows:
                self._batches.append((batch.start, batch.stop))
                steps += rows
        if not steps:
            return 0
        start, stop = self._batches[0]
        with _arrow_errors(path), path.open("rb") as file:
            first = pa.BufferReader(file.read(stop)[_MAGIC:])
            self._schema = pa.ipc.read_schema(first)
            self._batches[0] = (start + _MAGIC + first.tell(), stop)
            self._check_schema(self._schema)
        return steps

    def _check_schema(self, stored: pa.Schema) -> None:
        note = parse((stored.metadata or {}).get(b"agentlens", b"{}"), str(self.path))
        version = note.get("schema_version") if isinstance(note, dict) else None
        if version not in schema.READABLE_VERSIONS:
            raise Incompatible(
                f"{self.path}: schema version {version!r}, this agentlens reads version "
                f"{' and '.join(map(str, schema.READABLE_VERSIONS))}; update agentlens, or record "
                "again."
            )
        check_columns(self.path, stored, self._header)

    def _first_bad(self) -> str:
        """Where a file and its chain part, for a message."""
        chain = read_chain(self.path, chain_path(self.folder, self.index))
        rows = [batch.fields.get("rows") for batch in chain.batches]
        good = sum(row for row in rows if isinstance(row, int))
        assert self.entry is not None
        if chain.problem.endswith("missing"):
            return "its chain of digests is missing too, so the place is unknown"
        if good >= self.entry.steps:
            return "all steps are sound, what follows them is not"
        last = min(good + schema.BATCH_STEPS, self.entry.steps) - 1
        return f"the first bad batch is number {len(rows)}, steps {good} to {last}"


def _signature(path: Path) -> tuple[int, ...]:
    """What changes when a file is written to; empty where there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextlib.contextmanager
def _arrow_errors(path: Path) -> Iterator[None]:
    """What Arrow says of bytes that pass their digest and are no episode all the same."""
    try:
        with disk_errors(path, "read"):
            try:
                yield
            except OSError as error:
                if error.errno is not None:
                    raise
                raise Corrupt(f"{path}: not a sound Arrow file: {error}.") from error
    except (pa.ArrowException, UnicodeDecodeError, IndexError) as error:
        raise Corrupt(f"{path}: not a sound Arrow file: {error}.") from error


def unfinished(folder: Path, known: Sequence[int]) -> list[int]:
    """Indices of episodes that were begun but are not in the table."""
    episodes = finished_path(folder, 0).parent
    if not episodes.is_dir():
        return []
    with disk_errors(episodes, "read"):
        names = {path.name.removesuffix(".part") for path in episodes.iterdir()}
    stems = {name.removesuffix(".arrow") for name in names if name.endswith(".arrow")}
    indices = {int(stem) for stem in stems if stem.isascii() and stem.isdigit()}
    return sorted(indices - set(known))
