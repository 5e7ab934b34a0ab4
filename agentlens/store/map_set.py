"""Saliency maps in memory, what holds for all of them, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.errors import InvalidArgument
from agentlens.mapping import encode
from agentlens.spec import GridSpec, TargetInfo
from agentlens.store.episode import Episode
from agentlens.store.map_pictures import read_picture


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

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise InvalidArgument(
                f"maps of shape {self.shape}: expected a target, a plane, a row and a column or "
                "more of each."
            )

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
        differing = next((name for name in names if mine[name] != theirs.get(name)), "")
        if differing:
            return differing
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
        gaps: float64 [T, targets], by how much a map's sum misses what it should add up to; None
            for methods whose maps add up to nothing.
        targets: names. planes: names. grid: geometry. folder: where it lies, or None.
    """

    values: np.ndarray
    steps: np.ndarray
    episodes: np.ndarray
    explained_actions: np.ndarray
    header: MapHeader
    folder: Path | None = None
    gaps: np.ndarray | None = None

    def __repr__(self) -> str:
        where = "in memory" if self.folder is None else repr(str(self.folder))
        steps, targets = len(self.steps), ", ".join(self.targets)
        return f"MapSet({where}, {self.header.method}, {steps} steps, {targets})"

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

    def picture(self, name: str) -> np.ndarray:
        """What hidden places were filled with, "median" or "mean": float32 [H, W].

        Raises:
            UnknownName: made without it, or in memory.
            Corrupt: missing or altered.
        """
        options = self.header.options if self.folder else {}
        return read_picture(self.folder or Path(), options, self.grid, name)


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
