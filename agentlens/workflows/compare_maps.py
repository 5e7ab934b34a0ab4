"""The part of a comparison that needs saliency maps: whose, of which states, how alike."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agentlens.comparison.mass import MassShift, map_distance, mass_shift_of
from agentlens.comparison.moments import Moment, StepsByEpisode, map_moments, steps_by_episode
from agentlens.comparison.outputs import SharedStates
from agentlens.comparison.screen_maps import SharedMaps, aligned_maps, to_screen_maps
from agentlens.comparison.similarity import Similarity, similarity
from agentlens.comparison.statistics import Interval
from agentlens.compute import Compute
from agentlens.policies.agent import Agent
from agentlens.progress import Progress
from agentlens.rollout.revisit import revisit
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.explain import explain
from agentlens.spec import AgentSpec
from agentlens.store.maps import MapSet, open_maps
from agentlens.store.recording import open_recording
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.compare_plan import ComparisonRun
from agentlens.workflows.map_sizes import fitted_method, footprint
from agentlens.workflows.participants import Participant
from agentlens.workflows.revisits import joined, pairs_of, restricted, sampled_steps
from agentlens.workflows.sent_agents import SentAgent, sent_agent

ROLES = ("actor", "critic")


@dataclass(frozen=True, kw_only=True, eq=False)
class MapFigures:
    """What maps add to a comparison; ``text``: how they were made."""

    similarities: tuple[Similarity, ...]
    shifts: tuple[MassShift, ...]
    moments: tuple[Moment, ...]
    text: str


def shared_steps(run: ComparisonRun, gallery: Gallery) -> dict[int, StepsByEpisode]:
    """Evenly spread states of each agent's play: those that similarities are measured on."""
    steps: dict[int, StepsByEpisode] = {}
    for home in range(len(run.participants)):
        visit = next(v for (_, h), v in gallery.revisits.items() if h == home)
        episodes = [e.index for e in visit.episodes if e.complete]
        steps[home] = sampled_steps(gallery.recordings[home], episodes, run.plan.map_states)
    return steps


def explain_all(
    run: ComparisonRun,
    gallery: Gallery,
    steps: Mapping[int, StepsByEpisode],
    moments: Sequence[Moment],
) -> dict[tuple[int, int], MapSet]:
    """All maps by (agent, home): of shared steps, of moments and for the videos."""
    played = {(home, home): gallery.recordings[home] for home in steps}
    asked = {}
    for (agent, home), recording in {**played, **gallery.revisits}.items():
        own = [m for m in moments if m.states_of == run.labels[home]]
        in_videos = agent in (0, len(run.participants) - 1)
        chosen = joined(
            steps[home],
            steps_by_episode(own),
            gallery.disagreement.get(home, {}) if in_videos else {},
            gallery.opening(home, run.plan.video_steps) if agent == home else {},
        )
        asked[agent, home] = _AskedMaps(
            recording=recording.folder,
            method=_method(run, gallery, run.participants[agent].spec),
            steps=chosen,
            folder=run.folder / "maps" / f"{agent + 1}-on-{home + 1}",
            compute=run.compute if run.workers is None else replace(run.compute, threads=1),
        )
    if run.workers is None:
        return {
            (agent, home): _explain_aloud(run, run.participants[agent], maps)
            for (agent, home), maps in asked.items()
        }
    agents = [sent_agent(run.participants[agent].agent) for agent, _ in asked]
    with run.progress.stage("explaining", "states") as report:
        run.workers.results(
            _explain_sent,
            list(zip(agents, asked.values(), strict=True)),
            report,
            sum(map(len, asked.values())),
        )
    return {key: open_maps(maps.folder) for key, maps in asked.items()}


def compare_maps(
    run: ComparisonRun,
    gallery: Gallery,
    steps: Mapping[int, StepsByEpisode],
    shared: Mapping[tuple[int, int], SharedStates],
    told: Sequence[Moment] = (),
) -> MapFigures:
    """How alike the maps are, where their mass lies, and where they differ most.

    ``told``: moments of other kinds, which are not told again.
    """
    similarities: list[Similarity] = []
    shifts: list[MassShift] = []
    moments: list[Moment] = []
    screen = gallery.recordings[0].header.screen_shape
    sets = {key: restricted(maps, steps[key[1]]) for key, maps in gallery.maps.items()}
    for (i, j), role in itertools.product(pairs_of(len(run.participants)), ROLES):
        for home in (i, j):
            pair = (run.participants[i], run.participants[j])
            aligned = _aligned(pair, (sets[i, home], sets[j, home]), run.labels[home], role, screen)
            if aligned is None:
                continue
            similarities.append(similarity(aligned))
            shifts.append(mass_shift_of(aligned, screen))
            if role == "actor":
                states = shared[(j, home) if home == i else (i, home)]
                rows, distance = _rows(states, aligned), map_distance(aligned)
                moments.extend(map_moments(states, rows, distance, run.plan.moments, told))
    twins = _seed_twin(run, gallery, steps[0])
    own = run.labels[0]
    return MapFigures(
        similarities=tuple(
            replace(s, seed_twin=twins.get(s.role)) if s.first == s.states_of == own else s
            for s in similarities
        ),
        shifts=tuple(shifts),
        moments=tuple(moments),
        text=_text(run, gallery),
    )


@dataclass(frozen=True, kw_only=True)
class _AskedMaps:
    """Maps of chosen states of one agent's own play or revisit, and where they go."""

    recording: Path
    method: SaliencyMethod
    steps: StepsByEpisode
    folder: Path
    compute: Compute

    def __len__(self) -> int:
        return sum(map(len, self.steps.values()))

    def make(self, agent: Agent, progress: Progress) -> MapSet:
        """Make them all."""
        return explain(
            open_recording(self.recording, trust_code=agent.trust_code),
            self.method,
            steps=self.steps,
            compute=self.compute,
            output=self.folder,
            progress=progress,
            agent=agent,
        )


def _explain_sent(progress: Progress, agent: SentAgent, maps: _AskedMaps) -> None:
    """A map set, in a process of its own."""
    maps.make(agent.load(), progress)


def _explain_aloud(run: ComparisonRun, participant: Participant, maps: _AskedMaps) -> MapSet:
    with run.progress.stage(f"explaining {participant.label}", "states") as report:
        return maps.make(participant.agent, report)


def _aligned(
    pair: tuple[Participant, Participant],
    sets: tuple[MapSet, MapSet],
    states_of: str,
    role: str,
    screen: tuple[int, int],
) -> SharedMaps | None:
    """Two agents' maps of one role on one grid; None where one of them has no such role."""
    first, second = (
        to_screen_maps(maps, role, participant.spec.observation, screen)
        for participant, maps in zip(pair, sets, strict=True)
    )
    if first is None or second is None:
        return None
    labels = (pair[0].label, pair[1].label)
    return aligned_maps(first, second, labels=labels, states_of=states_of, role=role)


def _rows(shared: SharedStates, aligned: SharedMaps) -> np.ndarray:
    """Where each explained state stands among all shared ones."""
    places = zip(shared.episodes.tolist(), shared.steps.tolist(), strict=True)
    where = {place: i for i, place in enumerate(places)}
    explained = zip(aligned.episodes.tolist(), aligned.steps.tolist(), strict=True)
    return np.array([where[place] for place in explained], np.int64)


def _seed_twin(
    run: ComparisonRun, gallery: Gallery, steps: StepsByEpisode
) -> dict[str, Interval | None]:
    """By role: how alike the first agent's maps are to those of its seed twin, on its states."""
    twin = run.seed_twin
    if twin is None:
        return {}
    home = gallery.recordings[0]
    with run.progress.stage(f"asking {twin.label}", "decisions") as report:
        visit = revisit(
            home,
            twin.agent,
            output=run.folder / "recordings" / "seed-twin-on-1",
            episodes=sorted(steps),
            compute=run.compute,
            progress=report,
        )
    asked = _AskedMaps(
        recording=visit.folder,
        method=_method(run, gallery, twin.spec),
        steps=steps,
        folder=run.folder / "maps" / "seed-twin-on-1",
        compute=run.compute,
    )
    maps = _explain_aloud(run, twin, asked)
    sets = (restricted(gallery.maps[0, 0], steps), maps)
    figures = {}
    for role in ROLES:
        pair = (run.participants[0], twin)
        aligned = _aligned(pair, sets, run.labels[0], role, home.header.screen_shape)
        if aligned is not None:
            measured = similarity(aligned).figures
            figures[role] = measured["spearman_partial"] or measured["spearman"]
    return figures


def _method(run: ComparisonRun, gallery: Gallery, spec: AgentSpec) -> SaliencyMethod:
    first = gallery.recordings[0].header
    return fitted_method(run.method, spec, first.agent, first.screen_shape)


def _text(run: ComparisonRun, gallery: Gallery) -> str:
    """How the maps were made, for the methods paragraph."""
    screen = gallery.recordings[0].header.screen_shape
    header = gallery.maps[0, 0].header
    reference = header.options.get("reference")
    hidden = f" (hidden places filled by {reference})" if reference else ""
    targets = ", ".join(f"{t.name} ({t.unit})" for t in header.targets if t.role != "control")
    sizes = {
        p.label: footprint(_method(run, gallery, p.spec), p.spec, screen) for p in run.participants
    }
    masks = "; ".join(
        f"{label} {rows:.1f} x {columns:.1f}" for label, (rows, columns) in sizes.items()
    )
    return (
        f"Saliency maps: {header.method}{hidden}, {targets}, on {run.plan.map_states} evenly "
        "spread states of each agent; mask radius on the screen (rows x columns, pixels): "
        f"{masks}; maps are compared at the same places of the screen."
    )
