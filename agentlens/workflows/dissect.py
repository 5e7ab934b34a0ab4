"""Dissect an agent on a recording: what each unit stands for, beside an untrained twin.

Shape letters: T steps, N concepts, C units, H W observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.atari.objects import Boxes, boxes_of, objects_of
from agentlens.errors import InvalidArgument
from agentlens.network.dissect import (
    UnitMatch,
    soft_wpmi,
    spatial_matches,
    vector_matches,
)
from agentlens.network.excitation import field_of
from agentlens.network.places import Place, find_place, list_places
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.spec import ObservationSpec
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import write_table
from agentlens.workflows.dissect_page import UNITS as SHOWN_UNITS
from agentlens.workflows.dissect_page import UnitStrip, strip_frames, write_dissection_page
from agentlens.workflows.unit_effects import (
    Asked,
    ObjectLess,
    carried_kl,
    observations_without,
    silenced_kl,
)
from agentlens.workflows.unit_screens import Field
from agentlens.workflows.untrained import TWIN_SEED, own_states, untrained_twin

TABLE = "units"
"""Name of the table in a recording's folder."""

MOST_STEPS = 120
"""Steps that are looked at, evenly spread over those with an object in sight."""

_GROWN_PX = 1
"""Objects are grown by this many observation pixels: a ball is one or two of them."""


@dataclass(frozen=True, kw_only=True)
class PlaceUnits:
    """The units of one place: what each stands for and what it does.

    ``matches``: one a unit. ``kl``: nats, the policy's mean change when the unit is silenced to
    its mean. ``carried``: nats, its mean change when the unit alone gives what it gives without
    the object that it stands for. ``soft_wpmi``: of an entry of a vector with its concept, NaN
    elsewhere. ``dead``: share of units that never change. ``strips``: the best units with the
    steps at which each is strongest.
    """

    place: Place
    matches: tuple[UnitMatch, ...]
    kl: tuple[float, ...]
    carried: tuple[float, ...]
    soft_wpmi: tuple[float, ...]
    dead: float
    strips: tuple[UnitStrip, ...]

    def best(self, concept: str, count: int) -> tuple[UnitMatch, ...]:
        """The units with the largest excess for a concept, the largest first."""
        named = [m for m in self.matches if m.concept == concept]
        return tuple(sorted(named, key=lambda m: -m.excess)[:count])


@dataclass(frozen=True, kw_only=True)
class Dissection:
    """What ``dissect`` wrote: ``path`` of table and page without a suffix, of how many steps, and
    the places."""

    path: Path
    steps: int
    places: tuple[PlaceUnits, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class SampledSteps:
    """Some steps of a recording with what was in sight.

    ``observations``: float32 [T, K, H, W]. ``states``: [T, S] or None. ``masks``: by object bool
    [T, H, W] of the newest frame. ``attributes``: by name bool [T]. ``coordinates``: by name
    float64 [T], the middle of an object in screen pixels, NaN where it is not drawn. ``origins``:
    int64 [T, 2], each step's episode and its place in it.
    """

    observations: np.ndarray
    states: np.ndarray | None
    masks: dict[str, np.ndarray]
    attributes: dict[str, np.ndarray]
    coordinates: dict[str, np.ndarray]
    origins: np.ndarray


def dissect(
    recording: Recording | Path | str,
    *,
    places: Sequence[str] | None = None,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    progress: Progress = silent,
    agent: Agent | None = None,
) -> Dissection:
    """Find the best concept of every unit and write one row a unit.

    Args:
        recording: or its folder, of an Atari game.
        places: names such as "torso.5"; if not given, what follows each convolution, the dense
            layer and the memory.
        compute: where.
        output: path without a suffix; ``units`` in the recording's folder if not given.
        progress: called with places done and to do.
        agent: another copy of the recording's own.

    Raises:
        UnknownName, InvalidArgument: no such place; no step with an object; a network that is not
            declared, of which no untrained twin can be made.
    """
    recording = open_recording(recording)
    agent = recorded_agent(recording, agent, device=compute.device)
    policy, twin = agent.policy, untrained_twin(agent)
    chosen = [find_place(policy, name) for name in places or usual_places(policy)]
    steps = sample_steps(recording)
    blank = own_states(twin, recording, steps.origins)
    bare = observations_without(recording, steps.origins)
    parts = []
    for number, place in enumerate(chosen):
        other = tap(twin, [place], steps.observations, blank)[place.name]
        parts.append(_dissect_place(place, policy, steps, other, bare))
        progress(number + 1, len(chosen))
    path = Path(output) if output is not None else recording.folder / TABLE
    _write(path, parts, recording, len(steps.observations))
    strips = [strip for part in parts for strip in part.strips]
    write_dissection_page(path, strips, recording, steps.origins)
    return Dissection(path=path, steps=len(steps.observations), places=tuple(parts))


def sample_steps(recording: Recording, most: int = MOST_STEPS) -> SampledSteps:
    """Steps with a moving object in sight, evenly spread, with masks and attributes.

    Raises:
        InvalidArgument: there is none.
    """
    objects = objects_of(recording)
    spec = recording.header.agent.observation
    kept: list[tuple[int, int]] = []
    boxes_by_episode: dict[int, Boxes] = {}
    for episode in recording.episodes:
        if not len(episode):
            continue
        every = max(1, len(episode) // (2 * most))
        steps = np.arange(0, len(episode), every)
        screens = np.stack([episode.screens.indices[int(step)] for step in steps])
        boxes = boxes_of(screens, episode.ram[steps], objects.finder)
        boxes_by_episode[episode.index] = boxes
        whole = boxes.drawn.all(1) if boxes.drawn.all(1).any() else boxes.drawn.any(1)
        kept += [(episode.index, int(i)) for i in np.flatnonzero(whole)]
    if not kept:
        raise InvalidArgument("no step of the recording has an object in sight.")
    chosen = [kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, most).astype(int))]
    observations, states, edges, drawn, origins = [], [], [], [], []
    for episode in recording.episodes:
        rows = [row for index, row in chosen if index == episode.index]
        if not rows:
            continue
        boxes, every = boxes_by_episode[episode.index], max(1, len(episode) // (2 * most))
        steps = np.array(rows) * every
        observations += [episode.observations[int(s) : int(s) + 1][0] for s in steps]
        if episode.states is not None:
            states.append(episode.states[steps])
        edges.append(boxes.edges[rows])
        drawn.append(boxes.drawn[rows])
        origins.append(np.stack([np.full(len(steps), episode.index), steps], 1))
    return SampledSteps(
        observations=np.stack(observations),
        states=np.concatenate(states) if states else None,
        masks=box_masks(np.concatenate(edges), np.concatenate(drawn), objects.names, spec),
        attributes=box_attributes(np.concatenate(edges), np.concatenate(drawn), objects.names),
        coordinates=box_coordinates(np.concatenate(edges), np.concatenate(drawn), objects.names),
        origins=np.concatenate(origins),
    )


def box_masks(
    edges: np.ndarray, drawn: np.ndarray, names: Sequence[str], spec: ObservationSpec
) -> dict[str, np.ndarray]:
    """Boxes in screen pixels as masks of the observation, grown by a pixel: bool [T, H, W] each.

    Objects that are never drawn are left out.
    """
    height, width = spec.resize
    top, bottom, left, right = spec.screen_rectangle()
    rows = (edges[..., :2] - top) * height / (bottom - top)
    columns = (edges[..., 2:] - left) * width / (right - left)
    line, column = np.arange(height) + 0.5, np.arange(width) + 0.5
    masks = {}
    for index, name in enumerate(names):
        if not drawn[:, index].any():
            continue
        low, high = rows[:, index, :1] - _GROWN_PX, rows[:, index, 1:] + _GROWN_PX
        inside_rows = (line >= low) & (line <= high)
        low, high = columns[:, index, :1] - _GROWN_PX, columns[:, index, 1:] + _GROWN_PX
        inside_columns = (column >= low) & (column <= high)
        masks[name] = (
            inside_rows[:, :, None] & inside_columns[:, None, :] & drawn[:, index, None, None]
        )
    return masks


def box_attributes(
    edges: np.ndarray, drawn: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Yes-or-no attributes of the steps: halves of the screen, and which of two is above.

    An attribute that hardly varies (under 5 % or over 95 % of the steps) is left out.
    """
    rows, columns = edges[..., :2].mean(-1), edges[..., 2:].mean(-1)
    attributes = {}
    for index, name in enumerate(names):
        seen = drawn[:, index]
        if not seen.any():
            continue
        attributes[f"{name} in sight"] = seen
        attributes[f"{name} in its upper half"] = seen & (
            rows[:, index] < np.median(rows[seen, index])
        )
        attributes[f"{name} in its left half"] = seen & (
            columns[:, index] < np.median(columns[seen, index])
        )
        for other in range(index + 1, len(names)):
            both = seen & drawn[:, other]
            attributes[f"{name} above {names[other]}"] = both & (rows[:, index] < rows[:, other])
    return {name: held for name, held in attributes.items() if 0.05 <= held.mean() <= 0.95}


def box_coordinates(
    edges: np.ndarray, drawn: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Row and column of each object's middle: float64 [T] each, screen pixels, NaN out of sight.

    Coordinates that never change are left out.
    """
    coordinates = {}
    for index, name in enumerate(names):
        for word, ends in (("row", slice(0, 2)), ("column", slice(2, 4))):
            middle = edges[:, index, ends].mean(-1)
            values = np.where(drawn[:, index], middle, np.nan)
            if len(np.unique(values[drawn[:, index]])) > 1:
                coordinates[f"{name} {word}"] = values
    return coordinates


def usual_places(policy: Policy) -> list[str]:
    """What follows each convolution and dense layer, and the memory; not the heads."""
    places = list_places(policy)
    heads = {p.name.rpartition(".")[0] for p in places if p.units <= len(policy.action_meanings)}
    usual = [
        p.name
        for p in places
        if p.kind == "memory"
        or (
            p.layer not in ("Conv2d", "Linear", "Flatten")
            and p.name.rpartition(".")[0] not in heads
        )
    ]
    return usual or [p.name for p in places]


def _dissect_place(
    place: Place, policy: Policy, steps: SampledSteps, other: np.ndarray, bare: ObjectLess
) -> PlaceUnits:
    """``other``: what the untrained twin's place gives."""
    own = tap(policy, [place], steps.observations, steps.states)[place.name]
    if place.kind == "spatial":
        matches = spatial_matches(own, other, steps.masks, place.centres)
    else:
        matches = vector_matches(own, other, steps.attributes)
    flat = np.moveaxis(own, 1, 0).reshape(own.shape[1], -1).astype(np.float32)
    concepts = [match.concept for match in matches]
    asked = Asked(policy=policy, place=place, observations=steps.observations, states=steps.states)
    kl, carried = silenced_kl(asked, flat.mean(1)), carried_kl(asked, concepts, bare)
    return PlaceUnits(
        place=place,
        matches=matches,
        kl=kl,
        carried=carried,
        soft_wpmi=_wpmi_of_names(place, own, matches, steps.attributes),
        strips=_strips(asked, own, matches, (kl, carried)),
        dead=float((flat.max(1) == flat.min(1)).mean()),
    )


def _strips(
    asked: Asked,
    own: np.ndarray,
    matches: Sequence[UnitMatch],
    effects: tuple[Sequence[float], Sequence[float]],
) -> tuple[UnitStrip, ...]:
    """The units with the largest excess, with their strongest steps and what they read there."""
    fields: dict[tuple[int, int], Field] = {}
    strips = []
    for match in sorted(matches, key=lambda match: -match.excess)[:SHOWN_UNITS]:
        frames = strip_frames(own, match.unit)
        for frame in frames:
            if frame.at is not None and frame.at not in fields:
                field = field_of(asked.place, frame.at, asked.policy)
                fields |= {} if field is None else {frame.at: field}
        strips.append(
            UnitStrip(
                place=asked.place,
                match=match,
                kl=effects[0][match.unit],
                carried=effects[1][match.unit],
                frames=frames,
                fields=fields,
            )
        )
    return tuple(strips)


def _wpmi_of_names(
    place: Place,
    own: np.ndarray,
    matches: Sequence[UnitMatch],
    attributes: Mapping[str, np.ndarray],
) -> tuple[float, ...]:
    """The soft-WPMI of each entry of a vector with the concept that it is named by."""
    if place.kind == "spatial":
        return (float("nan"),) * place.units
    names = list(attributes)
    scores = soft_wpmi(own, np.stack([attributes[name] for name in names], 1))
    return tuple(float(scores[m.unit, names.index(m.concept)]) for m in matches)


def _write(path: Path, parts: Sequence[PlaceUnits], recording: Recording, steps: int) -> None:
    rows = [
        {
            "place": part.place.name,
            **dataclasses.asdict(match),
            "excess": match.excess,
            "kl_when_silenced": kl,
            "kl_carried": carried,
            "soft_wpmi": wpmi,
        }
        for part in parts
        for match, kl, carried, wpmi in zip(
            part.matches, part.kl, part.carried, part.soft_wpmi, strict=True
        )
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    about = {
        "recording": recording.header.identity,
        "steps": steps,
        "twin_seed": TWIN_SEED,
        "score": "IoU of spatial places, AUC of vectors and memory",
    }
    write_table(path, columns, {**about, **provenance()})
