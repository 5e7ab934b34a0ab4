"""From raw maps to heat: the one home of display scaling.

A target has one scale for a whole video, or for a pair of videos that are to be compared: full
heat is the 99th percentile of the frames' maxima. Nothing is rescaled frame by frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import TargetInfo
from agentlens.store.maps import MapSet

PERCENTILE = 99.0
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How one target's raw values become heat.

    ``limit``: the raw magnitude drawn at full heat; 0 where the maps hold nothing above their
    noise floor, and then the heat is 0 everywhere.
    """

    target: TargetInfo
    limit: float

    def heat(self, values: np.ndarray) -> np.ndarray:
        """Heat of raw values: float32, same shape, in [0, 1] or, for a signed target, [-1, 1].

        Magnitudes up to the target's noise floor give 0, those beyond ``limit`` 1.
        """
        if self.limit == 0.0:
            return np.zeros(values.shape, np.float32)
        size = np.abs(values)
        part = np.minimum(size, self.limit) / self.limit
        part = np.where(size > self.target.noise_floor, part, 0.0)
        part = np.minimum(self._shown(part), 1.0).astype(np.float32)
        signs = np.sign(values).astype(np.float32) if self.target.signed else np.float32(1.0)
        heat: np.ndarray = part * signs
        return heat

    def ticks(self) -> tuple[tuple[float, float], ...]:
        """(heat, raw value) of the colour bar's labels, from left to right: every quarter, or
        every half to both sides."""
        if self.target.signed:
            return tuple((place / 2, place / 2 * self.limit) for place in range(-2, 3))
        power = 2 if self.target.display == "sqrt" else 1
        return tuple((place / 4, (place / 4) ** power * self.limit) for place in range(5))

    def _shown(self, part: np.ndarray) -> np.ndarray:
        return np.sqrt(part) if self.target.display == "sqrt" else part


def frame_maxima(maps: MapSet, target: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Largest magnitude of each frame's map: float32 [n], over all planes and cells.

    Args:
        maps: the map set; read in chunks, so it may be larger than memory.
        target: name of one of its targets.
        rows: indices into the map set's first axis; all if not given.

    Raises:
        UnknownName: the map set has no such target.
    """
    if target not in maps.targets:
        raise UnknownName("target", target, maps.targets)
    index = maps.targets.index(target)
    rows = np.arange(len(maps.steps)) if rows is None else np.asarray(rows)
    maxima = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _CHUNK):
        values = maps.values[rows[start : start + _CHUNK], index]
        maxima[start : start + _CHUNK] = np.abs(values).max(axis=(1, 2, 3))
    return maxima


def scale_from(target: TargetInfo, maxima: np.ndarray) -> Scale:
    """The scale that suits frames with these maxima (float32 [n]).

    Where nearly all frames are empty, the largest maximum is the limit, so that the few others
    show.
    """
    for limit in (np.percentile(maxima, PERCENTILE), maxima.max()) if len(maxima) else ():
        if limit > target.noise_floor:
            return Scale(target=target, limit=float(limit))
    return Scale(target=target, limit=0.0)


def fixed_scales(maps: MapSet | None, limits: Mapping[str, float]) -> dict[str, Scale]:
    """Scales with limits that somebody chose.

    Raises:
        UnknownName: the maps have no such target.
    """
    targets = {} if maps is None else {info.name: info for info in maps.header.targets}
    for name in limits:
        if name not in targets:
            raise UnknownName("target", name, targets)
    return {name: Scale(target=targets[name], limit=limit) for name, limit in limits.items()}


def shared_scales(map_sets: Sequence[MapSet]) -> dict[str, Scale]:
    """One scale a target for several videos, over the frames of all of them.

    Raises:
        InvalidArgument: the sets describe a target of one name in different ways.
    """
    infos: dict[str, TargetInfo] = {}
    maxima: dict[str, list[np.ndarray]] = {}
    for maps in map_sets:
        for info in maps.header.targets:
            known = infos.setdefault(info.name, info)
            if (known.unit, known.signed, known.display) != (info.unit, info.signed, info.display):
                raise InvalidArgument(
                    f"target {info.name!r} is in {known.unit} in one map set and in {info.unit} "
                    "in another, or of another kind: they cannot share a scale."
                )
            maxima.setdefault(info.name, []).append(frame_maxima(maps, info.name))
    return {name: scale_from(infos[name], np.concatenate(parts)) for name, parts in maxima.items()}
