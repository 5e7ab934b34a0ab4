"""Where the objects of a recording are: a table, and how well RAM and pixels agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.envs.atari.objects import (
    BoxCheck,
    Boxes,
    ColourFinder,
    FactFinder,
    RecordedObjects,
    boxes_of,
    check_boxes,
    objects_of,
    ram_of,
    regions,
)
from agentlens.errors import InvalidArgument
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.store.tables import write_table

TABLE = "objects"
"""Name of the table in a recording's folder."""

_BLOCK = 64
_EDGES = ("top", "bottom", "left", "right")


@dataclass(frozen=True, kw_only=True)
class ObjectSummary:
    """One object over a recording.

    ``present``, ``drawn``: shares of steps. ``check``: of its RAM box against the pixels, None
    where its place is not read from RAM.
    """

    name: str
    group: str
    present: float
    drawn: float
    check: BoxCheck | None


@dataclass(frozen=True, kw_only=True)
class ObjectTable:
    """What ``objects`` wrote: ``path`` without a suffix, one summary an object, how they were
    found (``by``: "facts" or "colour"), and of how many steps."""

    path: Path
    objects: tuple[ObjectSummary, ...]
    by: str
    steps: int


def objects(
    recording: Recording | Path | str,
    *,
    episodes: Sequence[int] | None = None,
    output: Path | str | None = None,
    progress: Progress = silent,
) -> ObjectTable:
    """Find the objects of every step and write one row an object and step.

    Columns: episode, step, object, group, top, bottom, left, right (screen pixels, ends
    excluded), pixels, present, drawn. Where the game has no facts, a row is a connected region
    of one colour, and ``object`` says its size.

    Args:
        recording: open, or its folder.
        episodes: indices; all if not given.
        output: path without a suffix; ``objects`` in the recording's folder if not given.
        progress: called with steps done and to do.

    Raises:
        InvalidArgument: no such episode, or no step.
    """
    recording = open_recording(recording)
    chosen = chosen_episodes(recording, episodes)
    recorded = objects_of(recording)
    parts, boxes, rams = [], [], []
    done, total = 0, sum(map(len, chosen))
    for episode in chosen:
        for start in range(0, len(episode), _BLOCK):
            stop = min(start + _BLOCK, len(episode))
            screens = episode.screens.indices[start:stop]
            ram = ram_of(episode)[start:stop]
            block = boxes_of(screens, ram, recorded.finder)
            boxes.append(block)
            rams.append(ram)
            parts.append(_rows(episode, start, block, screens, recorded))
            done += stop - start
            progress(done, total)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    path = Path(output) if output is not None else recording.folder / TABLE
    by = "facts" if recorded.facts else "colour"
    about = {"recording": recording.header.identity, "found_by": by, **provenance()}
    write_table(path, columns, about)
    return ObjectTable(
        path=path, objects=_summaries(recorded, boxes, np.concatenate(rams)), by=by, steps=total
    )


def make_sure_of_boxes(recording: Recording, progress: Progress = silent) -> None:
    """Write the table of objects where a video is to show boxes and there is none.

    Raises:
        InvalidArgument: the recording's screens are in colour.
    """
    if not (recording.folder / f"{TABLE}.parquet").is_file():
        objects(recording, progress=progress)


def chosen_episodes(recording: Recording, wanted: Sequence[int] | None) -> list[Episode]:
    """The named episodes, all if none is named; those without a step are left out.

    Raises:
        InvalidArgument: no such episode, or no step.
    """
    there = {episode.index: episode for episode in recording.episodes}
    for index in wanted or ():
        if index not in there:
            raise InvalidArgument(f"episode {index}: the recording has {len(there)}.")
    chosen = [there[i] for i in (wanted if wanted is not None else there) if len(there[i])]
    if not chosen:
        raise InvalidArgument("the recording holds no step of the chosen episodes.")
    return chosen


def _rows(
    episode: Episode, start: int, boxes: Boxes, screens: np.ndarray, objects: RecordedObjects
) -> dict[str, np.ndarray]:
    """One block's rows as columns."""
    steps = episode.steps[start : start + len(boxes)]
    if isinstance(objects.finder, ColourFinder):
        return _region_rows(episode.index, steps, screens, objects.finder)
    shown = boxes.present
    at, index = np.nonzero(shown)
    columns: dict[str, Any] = {
        "episode": np.full(len(at), episode.index),
        "step": steps[at],
        "object": np.array(boxes.names)[index],
        "group": np.array(boxes.groups)[index],
    }
    columns |= {edge: boxes.edges[at, index, i] for i, edge in enumerate(_EDGES)}
    columns |= {
        "pixels": boxes.pixels[at, index],
        "present": np.ones(len(at), np.bool_),
        "drawn": boxes.drawn[at, index],
    }
    return columns


def _region_rows(
    episode: int, steps: np.ndarray, screens: np.ndarray, finder: ColourFinder
) -> dict[str, np.ndarray]:
    checks = [
        (int(step), region)
        for step, screen in zip(steps, screens, strict=True)
        for region in regions(screen, finder)
    ]
    boxes = np.array([region.box for _, region in checks], np.int16).reshape(-1, 4)
    names = [
        f"{finder.names[r.label]} {r.box[3] - r.box[2]} x {r.box[1] - r.box[0]}" for _, r in checks
    ]
    columns = {
        "episode": np.full(len(checks), episode),
        "step": np.array([step for step, _ in checks], np.int64),
        "object": np.array(names, dtype=np.str_),
        "group": np.array([finder.names[r.label] for _, r in checks], dtype=np.str_),
    }
    columns |= {edge: boxes[:, i] for i, edge in enumerate(_EDGES)}
    columns |= {
        "pixels": np.array([region.pixels for _, region in checks], np.int32),
        "present": np.ones(len(checks), np.bool_),
        "drawn": np.ones(len(checks), np.bool_),
    }
    return columns


def _summaries(
    objects: RecordedObjects, parts: Sequence[Boxes], ram: np.ndarray
) -> tuple[ObjectSummary, ...]:
    boxes = Boxes(
        names=parts[0].names,
        groups=parts[0].groups,
        edges=np.concatenate([part.edges for part in parts]),
        present=np.concatenate([part.present for part in parts]),
        drawn=np.concatenate([part.drawn for part in parts]),
        pixels=np.concatenate([part.pixels for part in parts]),
    )
    checks: dict[str, BoxCheck] = {}
    if isinstance(objects.finder, FactFinder):
        checks = {check.name: check for check in check_boxes(ram, boxes, objects.finder)}
    return tuple(
        ObjectSummary(
            name=name,
            group=boxes.groups[index],
            present=float(boxes.present[:, index].mean()),
            drawn=float(boxes.drawn[:, index].mean()),
            check=checks.get(name),
        )
        for index, name in enumerate(boxes.names)
    )
