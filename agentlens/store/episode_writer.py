"""Writing one episode: rows to batches to a journal, and a name in the table once it is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from agentlens.arrays import check_dtype, check_shape
from agentlens.errors import DiskError, InvalidArgument, NotFinite
from agentlens.store.atomic import disk_errors, sync_folder
from agentlens.store.columns import StepBuffer, StepRow
from agentlens.store.header import END_REASONS, EpisodeEntry, RecordingHeader, pack_screen
from agentlens.store.journal import JournalWriter
from agentlens.store.layout import chain_path, finished_path, part_path
from agentlens.store.schema import SCHEMA_VERSION


class EpisodeOwner(Protocol):
    """What an episode's writer needs of the recording's: ``RecordingWriter`` is the one."""

    folder: Path
    header: RecordingHeader

    def add(self, entry: EpisodeEntry) -> None:
        """Enter a finished episode into the table."""

    def learn_palette(self, indices: np.ndarray, rgb: np.ndarray) -> None:
        """Learn colours from one screen."""

    def save_palette(self) -> None:
        """Write newly learned colours to the disk."""


class _Sink:
    """Collects what Arrow writes, so that a batch goes to the file in one piece."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Nothing lies behind this sink."""

    def close(self) -> None:
        """Nothing is held."""

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class EpisodeWriter:
    """Appends the steps of one episode; obtained from ``RecordingWriter.episode``."""

    def __init__(
        self, recording: EpisodeOwner, index: int, seed: int, seed_words: tuple[int, ...]
    ) -> None:
        self.index = index
        self._recording = recording
        self._seed, self._seed_words = seed, seed_words
        self._part = part_path(recording.folder, index)
        self._chain = chain_path(recording.folder, index)
        self._journal = JournalWriter(self._part, self._chain)
        self._sink = _Sink()
        self._buffer: StepBuffer | None = None
        self._arrow: Any = None
        self._content = hashlib.sha256()
        self._steps = 0
        self._return = 0.0
        self.closed = False

    def append(self, row: StepRow) -> None:
        """Add one step; every 32nd call writes a batch and flushes it to the file.

        Raises:
            ShapeError, DtypeError, InvalidArgument, NotFinite: the row cannot be right.
            DiskError: full or failing disk; the batches before are intact.
        """
        self._check_open()
        if self._buffer is None:
            self._begin(row)
        assert self._buffer is not None
        self._buffer.add(row)
        self._steps += 1
        self._return += float(row.reward)
        if self._buffer.full:
            self._flush()

    def learn_palette(self, indices: np.ndarray, rgb: np.ndarray) -> None:
        """Learn palette entries from one screen: uint8 [Y, X] and uint8 [Y, X, 3] (cheap once
        complete)."""
        self._recording.learn_palette(indices, rgb)

    def finish(self, *, last_screen: np.ndarray, end: str) -> None:
        """Close the episode: footer, fsync, rename, row in the episode table.

        Args:
            last_screen: uint8 [Y, X] palette indices, or [Y, X, 3] RGB, after the last action.
            end: "terminated", "truncated", "max_steps", "stuck".

        Raises:
            InvalidArgument: no step was appended, or another ``end``.
            DiskError: full or failing disk; the batches before are intact.
        """
        self._check_open()
        if end not in END_REASONS:
            raise InvalidArgument(f"end {end!r}: expected one of {', '.join(END_REASONS)}.")
        check_dtype("last_screen", last_screen, "uint8")
        check_shape("last_screen", last_screen, self._recording.header.screen_array_shape)
        if self._buffer is None:
            raise InvalidArgument(f"episode {self.index} has no steps: append some, or leave it.")
        self._flush()
        self._arrow.close()
        self._journal.append(self._sink.take(), {"rows": 0})
        self._journal.sync()
        self.close()
        final = finished_path(self._recording.folder, self.index)
        with disk_errors(final, "write"):
            os.replace(self._part, final)
        sync_folder(final.parent)
        self._content.update(last_screen.tobytes())
        self._recording.add(
            EpisodeEntry(
                index=self.index,
                seed=self._seed,
                seed_words=self._seed_words,
                steps=self._steps,
                end=end,
                raw_return=self._return,
                n_bytes=self._journal.end,
                digest=self._journal.sha256.hexdigest(),
                content=self._content.hexdigest(),
                last_screen=pack_screen(last_screen),
            )
        )

    def close(self) -> None:
        """Let go of the files without finishing; twice is fine."""
        self.closed = True
        self._journal.close()

    def keep(self) -> None:
        """Write what is still in memory, as far as it can be written, and close unfinished."""
        if not self.closed and self._buffer is not None:
            with contextlib.suppress(DiskError, NotFinite):
                self._flush()
        self.close()

    def _begin(self, row: StepRow) -> None:
        self._buffer = StepBuffer(row, self._recording.header)
        about = {
            "schema_version": SCHEMA_VERSION,
            "index": self.index,
            "seed": self._seed,
            "seed_words": self._seed_words,
        }
        self._arrow = pa.ipc.new_file(
            self._sink,
            self._buffer.schema.with_metadata({"agentlens": json.dumps(about)}),
            options=pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False),
        )

    def _flush(self) -> None:
        if self._buffer is None or not len(self._buffer):
            return
        rows = len(self._buffer)
        self._content.update(self._buffer.played())
        try:
            self._arrow.write_batch(self._buffer.take())
            self._recording.save_palette()
            self._journal.append(self._sink.take(), {"rows": rows})
        except BaseException:
            self.close()
            raise

    def _check_open(self) -> None:
        if self.closed:
            raise InvalidArgument(f"episode {self.index} is closed: no more steps can be added.")
