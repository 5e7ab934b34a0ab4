"""Mean maps: what an agent looks at over an episode, by action, or before moments of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from agentlens.drawing.draw import MeanBy
from agentlens.drawing.moments import KINDS, find_moments
from agentlens.drawing.scene import drawn_targets
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import TargetInfo
from agentlens.store.map_set import MapSet, check_same_episode
from agentlens.store.recording import Episode, Recording, open_recording

BEFORE = 8
"""Steps up to a moment, itself included, that belong to it: half a second at a frame skip of 4."""
_MOMENTS = 100
"""Moments of one kind in an episode; more than any has ``APART`` from each other is all."""
_CHUNK = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanMap:
    """The mean of some steps' maps.

    ``name``: of the group, such as "RIGHT". ``values``: float64 [targets, planes, gy, gx], raw
    means in the targets' units, opposite signs cancelling. ``episode``, ``steps``: which steps,
    int64 [n]. ``total``: how many the group has, explained or not.
    """

    name: str
    targets: tuple[TargetInfo, ...]
    values: np.ndarray
    episode: int
    steps: np.ndarray
    total: int


def mean_maps(
    recording: Recording | Path | str,
    maps: MapSet,
    by: MeanBy = "action",
    *,
    targets: Sequence[str] | None = None,
    episode: int = 0,
    steps: slice | None = None,
) -> tuple[MeanMap, ...]:
    """Average maps over steps that are alike; groups without a map are left out.

    Args:
        recording: an open recording, or its folder.
        maps: its maps.
        by: "action": the steps at which each action was taken. "moment": the ``BEFORE`` steps up
            to each moment of a kind (see ``agentlens moments``). "episode": all of each episode.
        targets: names; one of the actor and one of the critic if not given.
        episode: index of the episode, but for "episode", which takes all that were explained.
        steps: of these alone.

    Raises:
        InvalidArgument: no such episode, no map there, maps of something else, or a target that
            explains an action where the steps of a group explain different ones.
        UnknownName: no such target, or another word for ``by``.

    Notes:
        Reads each map once, in chunks.
    """
    if by not in get_args(MeanBy):
        raise UnknownName("mean", by, get_args(MeanBy))
    recording = open_recording(recording)
    chosen = drawn_targets(maps.header, targets)
    count = len(recording.episodes)
    indices = np.unique(maps.episodes).tolist() if by == "episode" else [episode]
    results = []
    for index in indices:
        if not 0 <= index < count:
            raise InvalidArgument(f"episode {index}: the recording has {count}.")
        whole = recording.episodes[index]
        check_same_episode(maps, whole)
        for name, members in _groups(recording, whole, by):
            wanted = members[_within(members, steps, len(whole))]
            rows = np.flatnonzero((maps.episodes == index) & np.isin(maps.steps, wanted))
            if len(rows):
                results.append(_mean(maps, chosen, rows, name=name, total=len(wanted)))
    if not results:
        raise InvalidArgument(
            f"no map of episode {episode} belongs to a group by {by}: explain more steps of it."
        )
    return tuple(results)


def _groups(recording: Recording, episode: Episode, by: MeanBy) -> Iterator[tuple[str, np.ndarray]]:
    """Name and steps of each group of an episode; a step may belong to moments of two kinds."""
    if by == "episode":
        yield f"episode {episode.index}", np.arange(len(episode))
    elif by == "action":
        actions = np.asarray(episode.actions)
        for index, name in enumerate(recording.header.agent.action.meanings):
            yield name, np.flatnonzero(actions == index)
    else:
        for kind in KINDS:
            ends = [moment.step for moment in find_moments(episode, [kind], _MOMENTS)]
            spans = [np.arange(max(0, end - BEFORE + 1), end + 1) for end in ends]
            steps = np.unique(np.concatenate([np.zeros(0, np.int64), *spans]))
            plural = "" if len(ends) == 1 else "s"
            yield f"{kind}, {len(ends)} moment{plural}", steps


def _within(members: np.ndarray, steps: slice | None, length: int) -> np.ndarray:
    if steps is None:
        return np.ones(len(members), bool)
    return np.isin(members, np.arange(length)[steps])


def _mean(
    maps: MapSet, targets: tuple[TargetInfo, ...], rows: np.ndarray, *, name: str, total: int
) -> MeanMap:
    explained = np.unique(maps.explained_actions[rows])
    for target in targets:
        if target.of_action and len(explained) > 1:
            raise InvalidArgument(
                f"{target.name} explains an action, and the {len(rows)} maps of {name!r} explain "
                f"{len(explained)} different ones: their mean would mix unlike things. Take the "
                "mean by action, or explain one action with --action NAME."
            )
    places = [maps.targets.index(target.name) for target in targets]
    total_values = np.zeros((len(targets), *maps.values.shape[2:]))
    for start in range(0, len(rows), _CHUNK):
        values = maps.values[rows[start : start + _CHUNK]][:, places]
        total_values += values.sum(axis=0, dtype=np.float64)
    return MeanMap(
        name=name,
        targets=targets,
        values=total_values / len(rows),
        episode=int(maps.episodes[rows[0]]),
        steps=np.asarray(maps.steps[rows], np.int64),
        total=total,
    )
