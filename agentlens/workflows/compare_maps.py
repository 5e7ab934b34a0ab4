"""The part of a comparison that needs saliency maps: whose, of which states, how alike."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agentlens.comparison.behaviour import SharedStates
from agentlens.comparison.comparison import MassShift
from agentlens.comparison.moments import Moment, map_moments, steps_by_episode
from agentlens.comparison.similarity import (
    SharedMaps,
    Similarity,
    gaining_region,
    map_distance,
    mass_shift,
    seen,
    shared_maps,
    similarity,
)
from agentlens.rollout.revisit import revisit
from agentlens.spec import AgentSpec
from agentlens.store.maps import MapSet
from agentlens.workflows.compare_job import Job
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.options import MapOptions
from agentlens.workflows.shared_ground import (
    States,
    explain_states,
    fitted_masks,
    footprint,
    joined,
    pairs_of,
    restricted,
    sampled_states,
)

ROLES = ("actor", "critic")


@dataclass(frozen=True, kw_only=True, eq=False)
class MapFindings:
    """What maps add to a comparison; ``text``: how they were made."""

    similarities: tuple[Similarity, ...]
    shifts: tuple[MassShift, ...]
    moments: tuple[Moment, ...]
    text: str


def sampled(job: Job, gallery: Gallery) -> dict[int, States]:
    """Evenly spread states of everyone's play: the ones that similarities are measured on."""
    found: dict[int, States] = {}
    for home in range(len(job.entrants)):
        guest = next(m for m in gallery.meetings.values() if m.home == home)
        episodes = [e.index for e in guest.recording.episodes if e.complete]
        found[home] = sampled_states(gallery.recordings[home], episodes, job.maps)
    return found


def explain_everyone(
    job: Job, gallery: Gallery, states: Mapping[int, States], moments: Sequence[Moment]
) -> dict[tuple[int, int], MapSet]:
    """Everyone's maps by (agent, home): of sampled states, of moments and for the videos."""
    wanted = {(home, home): gallery.recordings[home] for home in states}
    wanted |= {key: m.recording for key, m in gallery.meetings.items()}
    maps = {}
    for (agent, home), recording in wanted.items():
        own = [m for m in moments if m.states_of == job.labels[home]]
        chosen = joined(
            states[home],
            steps_by_episode(own),
            gallery.disagreement.get(home, {}) if agent in (0, len(job.entrants) - 1) else {},
            gallery.opening(home, job.video_steps) if agent == home else {},
        )
        options = _masks(job, gallery, job.entrants[agent].spec)
        with job.stages(f"explaining {job.labels[agent]}", "states") as report:
            maps[agent, home] = explain_states(
                recording,
                job.entrants[agent].agent,
                chosen,
                options,
                folder=job.folder / "maps" / f"{agent + 1}-on-{home + 1}",
                device=job.device,
                threads=job.threads,
                progress=report,
            )
    return maps


def map_findings(
    job: Job,
    gallery: Gallery,
    states: Mapping[int, States],
    shared: Mapping[tuple[int, int], SharedStates],
    generator: np.random.Generator,
) -> MapFindings:
    """How alike the maps are, where their mass lies, and where they differ most."""
    similarities: list[Similarity] = []
    shifts: list[MassShift] = []
    moments: list[Moment] = []
    screen = gallery.recordings[0].header.screen_shape
    sets = {key: restricted(found, states[key[1]]) for key, found in gallery.maps.items()}
    for (i, j), role in itertools.product(pairs_of(len(job.entrants)), ROLES):
        for home in (i, j):
            met = _met(job, screen, (i, sets[i, home]), (j, sets[j, home]), home, role)
            if met is None:
                continue
            similarities.append(similarity(met, generator))
            shift = mass_shift(met)
            region, gain = gaining_region(shift, met.grid, screen)
            shifts.append(
                MassShift(
                    first=met.first,
                    second=met.second,
                    states_of=met.states_of,
                    role=role,
                    grid=met.grid,
                    shift=shift,
                    region=region,
                    gain=gain,
                )
            )
            if role == "actor":
                states_here = shared[(j, home) if home == i else (i, home)]
                rows = _rows(states_here, met)
                moments.extend(map_moments(states_here, rows, map_distance(met), job.moments))
    if job.floor is not None:
        similarities = _with_floor(job, gallery, states[0], similarities, generator)
    return MapFindings(
        similarities=tuple(similarities),
        shifts=tuple(shifts),
        moments=tuple(moments),
        text=_text(job, gallery),
    )


def _met(
    job: Job,
    screen: tuple[int, int],
    one: tuple[int, MapSet],
    two: tuple[int, MapSet],
    home: int,
    role: str,
) -> SharedMaps | None:
    first, second = (
        seen(maps, role, job.entrants[agent].spec.observation, screen) for agent, maps in (one, two)
    )
    if first is None or second is None:
        return None
    return shared_maps(
        job.labels[one[0]], first, job.labels[two[0]], second, states_of=job.labels[home], role=role
    )


def _rows(shared: SharedStates, met: SharedMaps) -> np.ndarray:
    """Where each explained state stands among all shared ones."""
    places = zip(shared.episodes.tolist(), shared.steps.tolist(), strict=True)
    where = {place: i for i, place in enumerate(places)}
    wanted = zip(met.episodes.tolist(), met.steps.tolist(), strict=True)
    return np.array([where[place] for place in wanted], np.int64)


def _with_floor(
    job: Job,
    gallery: Gallery,
    states: States,
    similarities: Sequence[Similarity],
    generator: np.random.Generator,
) -> list[Similarity]:
    """The similarities, with that of the first agent and another training seed beside its own."""
    assert job.floor is not None
    home, screen = gallery.recordings[0], gallery.recordings[0].header.screen_shape
    with job.stages(f"asking {job.floor.label}", "decisions") as report:
        visit = revisit(
            home,
            job.floor.agent,
            output=job.folder / "recordings" / "floor-on-1",
            episodes=sorted(states),
            device=job.device,
            progress=report,
        )
    with job.stages(f"explaining {job.floor.label}", "states") as report:
        maps = explain_states(
            visit,
            job.floor.agent,
            states,
            _masks(job, gallery, job.floor.spec),
            folder=job.folder / "maps" / "floor-on-1",
            device=job.device,
            threads=job.threads,
            progress=report,
        )
    floors = {}
    for role in ROLES:
        one = seen(
            restricted(gallery.maps[0, 0], states), role, job.entrants[0].spec.observation, screen
        )
        two = seen(maps, role, job.floor.spec.observation, screen)
        if one is not None and two is not None:
            met = shared_maps(
                job.labels[0], one, job.floor.label, two, states_of=job.labels[0], role=role
            )
            found = similarity(met, generator)
            floors[role] = found.spearman_partial or found.spearman
    return [
        replace(s, floor=floors.get(s.role)) if s.first == s.states_of == job.labels[0] else s
        for s in similarities
    ]


def _masks(job: Job, gallery: Gallery, spec: AgentSpec) -> MapOptions:
    first = gallery.recordings[0].header
    return fitted_masks(job.explain, spec, first.agent, first.screen_shape)


def _text(job: Job, gallery: Gallery) -> str:
    """How the maps were made, for the methods paragraph."""
    screen = gallery.recordings[0].header.screen_shape
    header = gallery.maps[0, 0].header
    targets = ", ".join(f"{t.name} ({t.unit})" for t in header.targets if t.role != "control")
    sizes = {e.label: footprint(_masks(job, gallery, e.spec), e.spec, screen) for e in job.entrants}
    masks = "; ".join(
        f"{label} {rows:.1f} x {columns:.1f}" for label, (rows, columns) in sizes.items()
    )
    return (
        f"Saliency maps: {header.method}, {targets}, on {job.maps} evenly spread states of each "
        f"agent; mask radius on the screen (rows x columns, pixels): {masks}; maps are compared "
        "at the same places of the screen."
    )
