"""When units of a layer are most active in a recording, and what lies in their field then.

Shape letters: T steps, N units, h w feature rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agentlens.envs.atari.objects import boxes_of, facts_of, objects_of
from agentlens.network.places import Place
from agentlens.network.taps import CHUNK, tap
from agentlens.policies.base import Policy
from agentlens.store.recording import Episode, Recording
from agentlens.workflows.dissect import box_masks
from agentlens.workflows.unit_screens import Field
from agentlens.workflows.untrained import own_states

APART = 15
"""Decisions between two frames that are told of, so that no moment is told twice."""

STRONGEST = 20
"""Frames whose objects are counted; other steps of the recording stand beside them."""

OTHERS = 100


@dataclass(frozen=True, kw_only=True)
class StrongFrame:
    """A step at which a unit is most active: ``value``, and ``at`` which row and column of its
    map (None for an entry of a vector)."""

    episode: int
    step: int
    value: float
    at: tuple[int, int] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitCurve:
    """One unit over one episode.

    ``values``: float32 [T], the largest of its map. ``places``: int64 [T, 2], where that is, None
    for an entry of a vector.
    """

    values: np.ndarray
    places: np.ndarray | None


@dataclass(frozen=True, kw_only=True)
class ObjectShare:
    """How often an object lies in the unit's field.

    ``strong``: share of its strongest frames. ``other``: share of other steps, in the same fields.
    """

    name: str
    strong: float
    other: float


def read_curves(
    policy: Policy, place: Place, units: Sequence[int], recording: Recording, *, twin: bool = False
) -> tuple[dict[int, tuple[UnitCurve, ...]], dict[int, np.ndarray]]:
    """What units give at every step.

    Args:
        policy: the agent's, or another of its shape.
        place: of the units.
        units: N numbers.
        recording: of the agent.
        twin: the policy is another, with a memory of its own.

    Returns:
        By episode a curve a unit; and the layer's energy, float32 [T], the mean square of all its
        values.

    Notes:
        T / 64 forward passes; 64 steps of the layer at a time in memory.
    """
    curves: dict[int, tuple[UnitCurve, ...]] = {}
    energies: dict[int, np.ndarray] = {}
    for episode in recording.episodes:
        if not len(episode):
            continue
        values, places, energy = [], [], []
        for start in range(0, len(episode), CHUNK):
            rows = slice(start, start + CHUNK)
            states = _states(policy, recording, episode, rows, twin=twin)
            layer = tap(policy, [place], episode.observations[rows], states)[place.name]
            layer = layer.astype(np.float32)
            energy.append(np.square(layer).reshape(len(layer), -1).mean(1))
            chosen = layer[:, list(units)]
            flat = chosen.reshape(*chosen.shape[:2], -1)
            values.append(flat.max(2))
            if place.kind == "spatial":
                places.append(np.stack(np.unravel_index(flat.argmax(2), place.shape[1:]), -1))
        joined = np.concatenate(values)
        where = np.concatenate(places) if places else None
        curves[episode.index] = tuple(
            UnitCurve(values=joined[:, n], places=None if where is None else where[:, n])
            for n in range(len(units))
        )
        energies[episode.index] = np.concatenate(energy)
    return curves, energies


def _states(
    policy: Policy, recording: Recording, episode: Episode, rows: slice, *, twin: bool
) -> np.ndarray | None:
    """The memory before some steps: the recorded one, or another policy's own."""
    if twin:
        numbers = np.arange(len(episode))[rows]
        origins = np.stack([np.full(len(numbers), episode.index), numbers], 1)
        return own_states(policy, recording, origins)
    return None if episode.states is None else np.asarray(episode.states[rows])


def strongest(
    curves: Mapping[int, UnitCurve], most: int, unseen: int = 0
) -> tuple[StrongFrame, ...]:
    """The steps at which a unit is most active, the strongest first, ``APART`` decisions apart.

    Args:
        curves: by episode.
        most: how many.
        unseen: steps at the start of an episode that are left out: their frame stack is not full.

    Returns:
        None at all where the unit never changes.
    """
    rows = [
        (float(value), index, step)
        for index, curve in curves.items()
        for step, value in enumerate(curve.values)
        if step >= unseen
    ]
    if not rows or len({value for value, *_ in rows}) == 1:
        return ()
    chosen: list[StrongFrame] = []
    for value, index, step in sorted(rows, key=lambda row: (-row[0], row[1], row[2])):
        if any(f.episode == index and abs(f.step - step) < APART for f in chosen):
            continue
        places = curves[index].places
        at = None if places is None else (int(places[step][0]), int(places[step][1]))
        chosen.append(StrongFrame(episode=index, step=step, value=value, at=at))
        if len(chosen) == most:
            break
    return tuple(chosen)


def objects_in_field(
    recording: Recording, frames: Sequence[tuple[StrongFrame, Field]]
) -> tuple[ObjectShare, ...]:
    """How often each object of the game lies in a unit's field when the unit is most active.

    Args:
        recording: of a game whose objects are known; nothing is told of others.
        frames: the strongest, each with what the unit reads there.
    """
    if not frames or facts_of(recording.header.agent.environment.game) is None:
        return ()
    fields = [field for _, field in frames]
    strong = _overlaps(recording, [(f.episode, f.step) for f, _ in frames], fields)
    generator = np.random.default_rng(0)
    steps = [(e.index, step) for e in recording.episodes for step in range(len(e))]
    drawn = generator.choice(len(steps), min(OTHERS, len(steps)), replace=False)
    others = [steps[int(row)] for row in drawn]
    beside = _overlaps(recording, others, [fields[n % len(fields)] for n in range(len(others))])
    return tuple(
        ObjectShare(name=name, strong=strong.get(name, 0.0), other=beside.get(name, 0.0))
        for name in sorted(strong | beside, key=lambda name: -strong.get(name, 0.0))
    )


def _overlaps(
    recording: Recording, steps: Sequence[tuple[int, int]], fields: Sequence[Field]
) -> dict[str, float]:
    """By object the share of steps at which a pixel of it lies in the step's field."""
    objects, spec = objects_of(recording), recording.header.agent.observation
    edges, drawn = [], []
    for index, step in steps:
        episode = next(e for e in recording.episodes if e.index == index)
        screen = episode.screens.indices[step][None]
        boxes = boxes_of(screen, episode.ram[step : step + 1], objects.finder)
        edges.append(boxes.edges[0])
        drawn.append(boxes.drawn[0])
    masks = box_masks(np.stack(edges), np.stack(drawn), objects.names, spec)
    return {
        name: float(
            np.mean(
                [
                    mask[row, top:bottom, left:right].any()
                    for row, (top, bottom, left, right) in enumerate(fields)
                ]
            )
        )
        for name, mask in masks.items()
    }
