"""The same states before several agents: revisits of each other's play, and maps on some of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agentlens.comparison.moments import spread_states
from agentlens.comparison.report import file_name
from agentlens.policies.agent import Agent
from agentlens.progress import Progress, silent
from agentlens.rollout.revisit import revisit
from agentlens.saliency.explain import explain
from agentlens.spec import AgentSpec
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording
from agentlens.workflows.entrants import Entrant
from agentlens.workflows.options import MapOptions

ALL_PAIRS_UP_TO = 4
"""More agents than this meet only their neighbours in order, and the first the last."""

States = Mapping[int, Sequence[int]]
"""Step numbers by episode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Meeting:
    """Agent ``guest`` asked about the states that agent ``home`` lived through."""

    home: int
    guest: int
    recording: Recording


def pairs_of(count: int) -> tuple[tuple[int, int], ...]:
    """Which agents meet on shared states, in order."""
    if count <= ALL_PAIRS_UP_TO:
        return tuple(itertools.combinations(range(count), 2))
    return (*itertools.pairwise(range(count)), (0, count - 1))


def chosen_episodes(recording: Recording, states: int) -> tuple[int, ...]:
    """Finished episodes from the first on until they hold ``states`` states; 0 for all.

    Ends before an episode that was cut off, so that an index is also a place.
    """
    chosen: list[int] = []
    total = 0
    for place, episode in enumerate(recording.episodes):
        if not (episode.complete and len(episode)) or episode.index != place:
            break
        chosen.append(place)
        total += len(episode)
        if 0 < states <= total:
            break
    return tuple(chosen)


def meet(
    entrants: Sequence[Entrant],
    recordings: Sequence[Recording],
    folder: Path,
    *,
    states: int,
    device: str,
    progress: Progress = silent,
) -> dict[tuple[int, int], Meeting]:
    """Every pair asked about each other's states, by (guest, home).

    Args:
        entrants: everyone; recordings: of their own play.
        folder: where the revisits go.
        states: see ``chosen_episodes``.
        device: as ``load_agent``.
        progress: told of decisions.
    """
    wanted = [order for pair in pairs_of(len(entrants)) for order in (pair, pair[::-1])]
    episodes = {home: chosen_episodes(recordings[home], states) for _, home in wanted}
    sizes = {h: sum(len(recordings[h].episodes[e]) for e in found) for h, found in episodes.items()}
    total, done = sum(sizes[home] for _, home in wanted), 0
    meetings = {}
    for guest, home in wanted:
        name = f"{guest + 1}-on-{home + 1}-{file_name(entrants[guest].label)}"
        found = revisit(
            recordings[home],
            entrants[guest].agent,
            output=folder / name,
            episodes=episodes[home],
            device=device,
            progress=_after(progress, done, total),
        )
        done += sizes[home]
        meetings[guest, home] = Meeting(home=home, guest=guest, recording=found)
    return meetings


def sampled_states(recording: Recording, episodes: Sequence[int], count: int) -> States:
    """``count`` states evenly spread over some episodes."""
    homes = np.concatenate([np.full(len(recording.episodes[e]), e) for e in episodes])
    steps = np.concatenate([recording.episodes[e].steps for e in episodes])
    found: dict[int, list[int]] = {}
    for place in spread_states(homes, count):
        found.setdefault(int(homes[place]), []).append(int(steps[place]))
    return found


def joined(*parts: States) -> States:
    """All states of several choices, each once, in order."""
    episodes = sorted({e for part in parts for e in part})
    return {e: sorted({s for part in parts for s in part.get(e, ())}) for e in episodes}


def explain_states(
    recording: Recording,
    agent: Agent,
    states: States,
    options: MapOptions,
    *,
    folder: Path,
    device: str,
    threads: int,
    progress: Progress = silent,
) -> MapSet:
    """Maps of chosen states: a map set in ``folder``, added to if it is there.

    Args:
        recording: own play or a revisit of ``agent``.
        states: step numbers by episode, at least one.
        options: which maps.
        progress: told of states done and to do.
    """
    total, done = sum(map(len, states.values())), 0
    found: MapSet | None = None
    for episode, steps in states.items():
        found = explain(
            recording,
            options.method,
            steps=list(steps),
            episodes=[episode],
            targets=options.targets,
            planes=options.planes,
            radius=options.radius,
            stride=options.stride,
            grid=options.grid,
            reference=options.reference,
            action=options.action,
            contrast=options.contrast,
            options=options.extra,
            merge_actions=options.merge_actions,
            device=device,
            engine=options.engine,
            threads=threads,
            memory_bytes=int(options.memory_gb * 2**30),
            output=folder,
            progress=_after(progress, done, total),
            agent=agent,
        )
        done += len(steps)
    assert found is not None, "states hold at least one"
    return found


def restricted(maps: MapSet, states: States) -> MapSet:
    """The maps of chosen states only, in memory."""
    wanted = {(e, s) for e, steps in states.items() for s in steps}
    places = zip(maps.episodes.tolist(), maps.steps.tolist(), strict=True)
    rows = np.array([i for i, place in enumerate(places) if place in wanted], np.int64)
    return replace(
        maps,
        values=np.asarray(maps.values[rows]),
        steps=maps.steps[rows],
        episodes=maps.episodes[rows],
        explained_actions=maps.explained_actions[rows],
    )


def fitted_masks(
    options: MapOptions, spec: AgentSpec, first: AgentSpec, screen: tuple[int, int]
) -> MapOptions:
    """The options with masks as large on the screen as they are for the first agent.

    Agents that see the screen at another size or crop get another radius and stride in their own
    pixels, so that a mask covers the same area of the screen (a mask is round in observation
    pixels; where rows and columns are resized differently its shape differs a little).
    """
    factor = math.sqrt(_density(spec, screen) / _density(first, screen))
    if abs(factor - 1) < 1e-9:
        return options
    radius = (5.0 if options.radius is None else options.radius) * factor
    stride = (5 if options.stride is None else options.stride) * factor
    return replace(options, radius=round(radius, 3), stride=max(1, round(stride)))


def footprint(options: MapOptions, spec: AgentSpec, screen: tuple[int, int]) -> tuple[float, float]:
    """Standard deviation of a mask on the screen, (rows, columns) in its pixels."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    radius = 5.0 if options.radius is None else options.radius
    return radius * (bottom - top) / rows, radius * (right - left) / columns


def _after(progress: Progress, before: int, total: int) -> Progress:
    """The progress of one part told as that of the whole."""
    return lambda done, _: progress(before + done, total)


def _density(spec: AgentSpec, screen: tuple[int, int]) -> float:
    """Observation pixels for each pixel of the screen."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    return rows * columns / ((bottom - top) * (right - left))
