"""Saliency maps on their own grid, on disk and resumable by step range.

Layout of a map set::

    <folder>/
      maps.json       the header, sealed by a digest
      values.f32      little-endian float32 [T, targets, planes, gy, gx], one batch after the other
      values.chain    a line a batch: its episode, steps and explained actions, with a chained
      digest
      picture-*.f32   the recording's median or mean, where hidden places were filled with it
      .lock           the one writer, while it writes
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from agentlens.arrays import check_dtype, check_finite, check_shape
from agentlens.errors import AlreadyExists, Corrupt, InvalidArgument, ManifestError
from agentlens.mapping import decode, encode
from agentlens.spec import TargetInfo as TargetInfo
from agentlens.store.atomic import checked_folder, disk_errors, made_folder, names_in
from agentlens.store.journal import Batch, Chain, JournalWriter, read_chain
from agentlens.store.lock import LOCK_NAME, FolderLock
from agentlens.store.map_pictures import picture_names, write_pictures
from agentlens.store.map_set import MapHeader as MapHeader
from agentlens.store.map_set import MapSet as MapSet
from agentlens.store.measures import MEASURES
from agentlens.store.sealed_json import read_document, write_document

_JSON, _VALUES, _CHAIN = "maps.json", "values.f32", "values.chain"
_KIND = "map set"
_IN_MEMORY = 64 * 1024 * 1024
"""Map sets up to this size, in bytes, are read into memory when they are opened."""


class MapWriter:
    """Appends maps; the same header resumes, another is refused unless ``force``.

    A context manager, and the only writer of its folder while it is open. What a killed writer
    left behind a whole batch is cut off; a batch that was altered since, too, with all after it.

    Args:
        folder: created if missing.
        header: what the maps are; ``provenance`` may differ from the one that is there.
        force: replace a map set of another header; other files are refused.
        pictures: float32 [H, W] by name, kept beside the maps.

    Raises:
        AlreadyExists: maps of another header, or other files, are there.
        Locked: another process writes there; the message names it.
        DiskError: read-only, full or failing disk.
    """

    def __init__(
        self,
        folder: Path,
        header: MapHeader,
        *,
        force: bool = False,
        pictures: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> None:
        self.folder, self.header = checked_folder(folder), header
        with made_folder(self.folder):
            self._lock = FolderLock(self.folder)
            try:
                self._begin(pictures, force=force)
            except BaseException:
                self._lock.release()
                raise

    def _begin(self, pictures: Mapping[str, np.ndarray], *, force: bool) -> None:
        """Write what stands in a map set before its first map."""
        keep = self._take_over(force=force)
        self._done = {pair for batch in keep.batches for pair in _pairs(batch)} if keep else set()
        if keep is None:
            self._write_header()
        write_pictures(self.folder, self.header.grid, pictures)
        self._journal = JournalWriter(self.folder / _VALUES, self.folder / _CHAIN, keep)

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def done(self) -> frozenset[tuple[int, int]]:
        """(episode, step) pairs already written."""
        return frozenset(self._done)

    def append(
        self,
        episode: int,
        steps: np.ndarray,
        actions: np.ndarray,
        values: np.ndarray,
        gaps: np.ndarray | None = None,
    ) -> None:
        """Write and flush one batch of maps.

        Args:
            episode: its index.
            steps: integers [n], the step of each map.
            actions: integers [n], the action that each map explains.
            values: float32 [n, targets, planes, gy, gx].
            gaps: float64 [n, targets], see ``MapSet``.

        Raises:
            ShapeError, DtypeError, InvalidArgument: the batch cannot be right, or is there already.
            NotFinite: a NaN or an infinity; names the place.
            DiskError: full or failing disk; the batches before are intact.
        """
        check_dtype("values", values, "float32")
        check_shape("values", values, (len(steps), *self.header.shape))
        check_shape("actions", actions, (len(steps),))
        check_finite(f"the maps of episode {episode} from step {steps[:1]}", values)
        fields: dict[str, Any] = {
            "episode": int(episode),
            "steps": [int(step) for step in steps],
            "actions": [int(action) for action in actions],
        }
        if gaps is not None:
            check_shape("gaps", gaps, (len(steps), len(self.header.targets)))
            check_finite(f"the gaps of episode {episode} from step {steps[:1]}", gaps)
            fields["gaps"] = gaps.tolist()
        pairs = {(int(episode), int(step)) for step in steps}
        if len(pairs) < len(steps) or pairs & self._done:
            raise InvalidArgument(f"episode {episode}: some of these steps are there already.")
        if len(steps):
            self._journal.append(np.ascontiguousarray(values, "<f4").tobytes(), fields)
            self._done |= pairs

    def close(self) -> None:
        """Sync what was written and give the folder back; twice is fine."""
        if not self._lock.held:
            return
        try:
            self._journal.sync()
        finally:
            self._journal.close()
            self._lock.release()

    def _write_header(self) -> None:
        write_document(self.folder / _JSON, _KIND, {"header": encode(self.header)})

    def _take_over(self, *, force: bool) -> Chain | None:
        """The maps that stay, or None to begin anew."""
        present = names_in(self.folder) - {LOCK_NAME}
        if not present:
            return None
        ours = {_VALUES, _CHAIN, MEASURES} | picture_names(present)
        if _JSON not in present and not (force and present <= ours):
            raise AlreadyExists(
                f"{self.folder} holds {sorted(present)[0]!r} but no map set: choose another folder."
            )
        if force:
            with disk_errors(self.folder, "replace"):
                for name in (*sorted(ours), _JSON):
                    (self.folder / name).unlink(missing_ok=True)
            return None
        earlier = read_map_header(self.folder)
        field = self.header.difference(earlier)
        if field:
            raise AlreadyExists(
                f"{self.folder} holds maps of another {field}: they are not mixed; choose another "
                "folder, or pass --force to replace them."
            )
        digests = {**earlier.recording_digests, **self.header.recording_digests}
        if digests != earlier.recording_digests:
            self.header = dataclasses.replace(self.header, recording_digests=digests)
            self._write_header()
        return _whole_steps(self.folder, self.header)


def open_maps(folder: Path | str) -> MapSet:
    """Open a map set, sorted by episode and step.

    Every byte is compared with its digest (a second for 1 GB). Maps that were written in order
    are mapped from the disk, others are sorted in memory.

    Raises:
        Corrupt: no map set, or truncated or altered; names file and place.
        Incompatible: another schema version.
        DiskError: a file cannot be read.
    """
    path = checked_folder(folder)
    header = read_map_header(path)
    values_path = path / _VALUES
    chain = _whole_steps(path, header)
    if chain.problem:
        count = sum(len(batch.fields["steps"]) for batch in chain.batches)
        raise Corrupt(
            f"{values_path}: {chain.problem}; the first {count} maps are sound: run explain again "
            "to make the others once more."
        )
    pairs = np.array([pair for batch in chain.batches for pair in _pairs(batch)], np.int64)
    pairs = pairs.reshape(-1, 2)
    actions = np.array([a for batch in chain.batches for a in batch.fields["actions"]], np.int64)
    shape = (len(pairs), *header.shape)
    values = np.zeros(shape, np.float32)
    if values.size:
        with disk_errors(values_path, "read"):
            values = _kept(values_path, shape)
    gaps = _gaps(chain, header, values_path)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    if not np.array_equal(order, np.arange(len(pairs))):
        pairs, actions, values = pairs[order], actions[order], values[order]
        gaps = None if gaps is None else gaps[order]
    return MapSet(
        values=values.view(np.ndarray),
        steps=pairs[:, 1],
        episodes=pairs[:, 0],
        explained_actions=actions,
        header=header,
        folder=path,
        gaps=gaps,
    )


def _kept(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The values as they are now, whatever happens to the file: float32 of ``shape``.

    A mapping of a file that somebody cuts ends the process; so small sets are read, and large ones
    are mapped from a copy that has no name.

    Raises:
        Corrupt: the file was cut since it was checked.
    """
    size = 4 * int(np.prod(shape))
    with path.open("rb") as file, contextlib.ExitStack() as stack:
        if size <= _IN_MEMORY:
            values = np.fromfile(file, "<f4", count=size // 4)
        else:
            copy = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            values = np.zeros(0, "<f4")
            if os.fstat(copy.fileno()).st_size >= size:
                values = np.memmap(copy, "<f4", mode="r", shape=(size // 4,))
    if values.nbytes < size:
        raise Corrupt(f"{path}: {values.nbytes} bytes of maps, expected {size}.")
    return values.reshape(shape)


def read_map_header(folder: Path) -> MapHeader:
    """Read what a map set says of itself; its values may be damaged.

    Raises:
        Corrupt, Incompatible: as ``open_maps``.
    """
    path = folder / _JSON
    try:
        return decode(MapHeader, read_document(path, _KIND).get("header"), "header")
    except ManifestError as error:
        raise Corrupt(f"{path}: {error}") from error


def _whole_steps(folder: Path, header: MapHeader) -> Chain:
    """The chain up to the first batch that is altered or does not hold what its line says."""
    chain = read_chain(folder / _VALUES, folder / _CHAIN)
    n_bytes = 4 * int(np.prod(header.shape))
    for number, batch in enumerate(chain.batches):
        steps: Any = batch.fields.get("steps")
        actions: Any = batch.fields.get("actions")
        lists = _integers(steps) and _integers(actions) and _integers([batch.fields.get("episode")])
        size = batch.stop - batch.start
        if not lists or not len(steps) == len(actions) == size / n_bytes:
            problem = f"batch {number} does not hold the maps that its line names"
            return Chain(batches=chain.batches[:number], problem=problem)
    return chain


def _gaps(chain: Chain, header: MapHeader, path: Path) -> np.ndarray | None:
    """The gaps of all maps in the order of the chain; None where any has none."""
    rows = [row for batch in chain.batches for row in batch.fields.get("gaps") or [None]]
    if not rows or None in rows:
        return None
    maps = sum(len(batch.fields["steps"]) for batch in chain.batches)
    sound = len(rows) == maps and all(
        isinstance(row, list)
        and len(row) == len(header.targets)
        and all(type(gap) in (int, float) and math.isfinite(gap) for gap in row)
        for row in rows
    )
    if not sound:
        raise Corrupt(f"{path}: the gaps beside the maps are no numbers, one a map and target.")
    return np.array(rows, np.float64)


def _integers(value: Any) -> bool:
    return isinstance(value, list) and all(type(item) is int for item in value)


def _pairs(batch: Batch) -> list[tuple[int, int]]:
    return [(batch.fields["episode"], step) for step in batch.fields["steps"]]
