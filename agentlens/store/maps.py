"""Saliency maps on their own grid, on disk and resumable by step range. (Contract.)"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.spec import GridSpec
from agentlens.spec import TargetInfo as TargetInfo


@dataclass(frozen=True, kw_only=True)
class MapHeader:
    """What holds for a whole map set.

    ``method``: name; ``options``: every option, defaults included; ``planes``: ("all",),
    ("newest",) or ("plane 0", ..., "plane K-1") oldest first; ``action``: "taken", "greedy" or a
    name; ``recording_digests``: of the episodes explained; ``forward_passes`` per step.
    """

    method: str
    options: Mapping[str, Any]
    targets: tuple[TargetInfo, ...]
    planes: tuple[str, ...]
    grid: GridSpec
    action: str
    forward_passes: int
    recording_digests: Mapping[str, str]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class MapSet:
    """Saliency maps in memory (memory-mapped or cached from disk).

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

    ``done`` tells which (episode, step) pairs are there already; ``append`` takes
    float32 [n, targets, planes, gy, gx] with their steps and refuses what is not finite.
    """

    def __init__(self, folder: Path, header: MapHeader, *, force: bool = False) -> None:
        raise NotImplementedError

    def __enter__(self) -> MapWriter:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    @property
    def done(self) -> frozenset[tuple[int, int]]:
        """(episode, step) pairs already written."""
        raise NotImplementedError

    def append(
        self, episode: int, steps: np.ndarray, actions: np.ndarray, values: np.ndarray
    ) -> None:
        """Write and flush one batch of maps."""
        raise NotImplementedError


def open_maps(folder: Path | str) -> MapSet:
    """Open a map set, sorted by episode and step.

    Raises:
        Corrupt, Incompatible: as ``open_recording``.
    """
    raise NotImplementedError
