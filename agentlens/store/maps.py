"""Saliency maps on their own grid, on disk and resumable by step range.

Layout of a map set::

    <folder>/
      maps.json       the header, sealed by a digest
      values.f32      little-endian float32 [T, targets, planes, gy, gx], one batch after the other
      values.chain    a line a batch: its episode, steps and explained actions, with a chained
      digest
      .lock           the one writer, while it writes
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.arrays import check_dtype, check_finite, check_shape
from agentlens.errors import AlreadyExists, Corrupt, InvalidArgument, ManifestError
from agentlens.mapping import decode, encode
from agentlens.spec import GridSpec
from agentlens.spec import TargetInfo as TargetInfo
from agentlens.store.atomic import checked_folder, disk_errors, make_folder, names_in
from agentlens.store.episode import Episode
from agentlens.store.journal import Batch, Chain, JournalWriter, read_chain
from agentlens.store.layout import RECORDING_JSON
from agentlens.store.lock import LOCK_NAME, FolderLock
from agentlens.store.sealed_json import read_document, write_document

_JSON, _VALUES, _CHAIN = "maps.json", "values.f32", "values.chain"
_KIND = "map set"
_IN_MEMORY = 64 * 1024 * 1024
"""Map sets up to this size, in bytes, are read into memory when they are opened."""


@dataclass(frozen=True, kw_only=True)
class MapHeader:
    """What holds for a whole map set.

    ``method``: name; ``options``: every option, defaults included; ``planes``: ("all",),
    ("newest",) or ("plane 0", ..., "plane K-1") oldest first; ``action``: "taken", "greedy" or a
    name; ``contrast``: the action it is compared with, "" for the best other one or none;
    ``recording``: the recording's identity ("" for maps of none); ``recording_digests``: of
    the episodes explained, "" for unfinished ones; ``forward_passes`` per step.
    """

    method: str
    options: Mapping[str, Any]
    targets: tuple[TargetInfo, ...]
    planes: tuple[str, ...]
    grid: GridSpec
    action: str
    forward_passes: int
    contrast: str = ""
    recording: str = ""
    recording_digests: Mapping[str, str]
    provenance: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """One step's maps: (targets, planes, gy, gx)."""
        return (len(self.targets), len(self.planes), *self.grid.shape)

    def difference(self, other: MapHeader) -> str:
        """What first sets the maps of two headers apart, such as "options"; "" if nothing does.

        Where and when the program ran makes no difference, nor do episodes that only one of the
        two knows: a recording may grow.
        """
        mine, theirs = encode(self), encode(other)
        places = ("provenance", "recording", "recording_digests")
        names = (name for name in mine if name not in places)
        found = next((name for name in names if mine[name] != theirs.get(name)), "")
        if found:
            return found
        ours, others = self.recording_digests, other.recording_digests
        same = all(ours[index] == others[index] for index in ours.keys() & others.keys())
        known = {self.recording, other.recording} - {""}
        return "" if same and len(known) <= 1 else "recording"


@dataclass(frozen=True, eq=False)
class MapSet:
    """Saliency maps in memory, or mapped from the disk and read when touched.

    Attributes:
        values: float32 [T, targets, planes, gy, gx], raw, never rescaled.
        steps: int64 [T], the step within the episode. episodes: int64 [T], the episode's index.
        explained_actions: int64 [T], the action each map explains. header: see MapHeader.
        targets: names. planes: names. grid: geometry. folder: where it lies, or None.
    """

    values: np.ndarray
    steps: np.ndarray
    episodes: np.ndarray
    explained_actions: np.ndarray
    header: MapHeader
    folder: Path | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the targets, in the order of axis 1."""
        return tuple(t.name for t in self.header.targets)

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes, in the order of axis 2."""
        return self.header.planes

    @property
    def grid(self) -> GridSpec:
        """Where the values lie."""
        return self.header.grid


class MapWriter:
    """Appends maps; the same header resumes, another is refused unless ``force``.

    A context manager, and the only writer of its folder while it is open. What a killed writer
    left behind a whole batch is cut off; a batch that was altered since, too, with all after it.

    Args:
        folder: created if missing.
        header: what the maps are; ``provenance`` may differ from the one that is there.
        force: replace a map set of another header; other files are refused.

    Raises:
        AlreadyExists: maps of another header, or other files, are there.
        Locked: another process writes there; the message names it.
        DiskError: read-only, full or failing disk.
    """

    def __init__(self, folder: Path, header: MapHeader, *, force: bool = False) -> None:
        self.folder, self.header = checked_folder(folder), header
        make_folder(self.folder, inside=_trusted(self.folder))
        self._lock = FolderLock(self.folder)
        try:
            keep = self._take_over(force=force)
            self._done = (
                {pair for batch in keep.batches for pair in _pairs(batch)} if keep else set()
            )
            if keep is None:
                self._write_header()
            self._journal = JournalWriter(self.folder / _VALUES, self.folder / _CHAIN, keep)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def done(self) -> frozenset[tuple[int, int]]:
        """(episode, step) pairs already written."""
        return frozenset(self._done)

    def append(
        self, episode: int, steps: np.ndarray, actions: np.ndarray, values: np.ndarray
    ) -> None:
        """Write and flush one batch of maps.

        Args:
            episode: its index.
            steps: integers [n], the step of each map.
            actions: integers [n], the action that each map explains.
            values: float32 [n, targets, planes, gy, gx].

        Raises:
            ShapeError, DtypeError, InvalidArgument: the batch cannot be right, or is there already.
            NotFinite: a NaN or an infinity; names the place.
            DiskError: full or failing disk; the batches before are intact.
        """
        check_dtype("values", values, "float32")
        check_shape("values", values, (len(steps), *self.header.shape))
        check_shape("actions", actions, (len(steps),))
        check_finite(f"the maps of episode {episode} from step {steps[:1]}", values)
        fields = {
            "episode": int(episode),
            "steps": [int(step) for step in steps],
            "actions": [int(action) for action in actions],
        }
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
        found = names_in(self.folder) - {LOCK_NAME}
        if not found:
            return None
        if _JSON not in found and not (force and found <= {_VALUES, _CHAIN}):
            raise AlreadyExists(
                f"{self.folder} holds {sorted(found)[0]!r} but no map set: choose another folder."
            )
        if force:
            with disk_errors(self.folder, "replace"):
                for name in (_CHAIN, _VALUES, _JSON):
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


def _trusted(folder: Path) -> Path:
    """What of a map set's path the user named: the recording that it lies in, or all of it."""
    within = (p for p in folder.parents[:2] if (p / RECORDING_JSON).exists())
    return next(within, folder)


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
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    if not np.array_equal(order, np.arange(len(pairs))):
        pairs, actions, values = pairs[order], actions[order], values[order]
    return MapSet(
        values=values.view(np.ndarray),
        steps=pairs[:, 1],
        episodes=pairs[:, 0],
        explained_actions=actions,
        header=header,
        folder=path,
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


def check_same_episode(maps: MapSet, episode: Episode) -> None:
    """Refuse maps that were made from another episode than this one.

    Compared by the episode's digest; where it was unfinished when it was explained, and so had
    none, by the recording's identity and the actions that were explained as taken. Maps that name
    neither recording nor digests (made in memory) pass.

    Args:
        maps: with steps of the episode's index.
        episode: a whole one, not a slice.

    Raises:
        InvalidArgument: the maps are of another recording.
    """
    digests = maps.header.recording_digests
    rows = np.flatnonzero(maps.episodes == episode.index)
    steps = maps.steps[rows]
    fits = bool((steps < len(episode)).all())
    if fits and (digest := digests.get(str(episode.index), "")):
        fits = digest == episode.digest
    elif fits:
        fits = maps.header.recording in ("", episode.recording)
        if fits and digests and maps.header.action == "taken":
            fits = np.array_equal(maps.explained_actions[rows], episode.actions[steps])
    if not fits:
        raise InvalidArgument(
            f"the maps in {maps.folder or 'memory'} belong to another recording than episode "
            f"{episode.index} here ({len(episode)} steps): name its own maps, or explain it first."
        )


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


def _integers(found: Any) -> bool:
    return isinstance(found, list) and all(type(item) is int for item in found)


def _pairs(batch: Batch) -> list[tuple[int, int]]:
    return [(batch.fields["episode"], step) for step in batch.fields["steps"]]
