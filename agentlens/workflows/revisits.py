"""The same states before several agents: revisits of each other's play, and maps on some of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from agentlens.comparison.moments import StepsByEpisode, spread_states
from agentlens.comparison.report import file_name
from agentlens.compute import Compute
from agentlens.progress import Progress, silent
from agentlens.rollout.revisit import revisit
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.participants import Participant
from agentlens.workflows.sent_agents import SentAgent, sent_agent
from agentlens.workflows.workers import Workers

ALL_PAIRS_UP_TO = 4
"""More agents than this meet only their neighbours in order, and the first the last."""

Revisits = Mapping[tuple[int, int], Recording]
"""By (guest, home): agent ``guest`` asked about the states that agent ``home`` lived through."""


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


def revisit_all(
    participants: Sequence[Participant],
    recordings: Sequence[Recording],
    folder: Path,
    *,
    states: int,
    compute: Compute,
    progress: Progress = silent,
    workers: Workers | None = None,
) -> Revisits:
    """Ask both agents of every pair about each other's states.

    Args:
        participants: the agents; recordings: of their own play.
        folder: where the revisits go.
        states: see ``chosen_episodes``.
        compute: as in ``record``.
        progress: told of decisions.
        workers: processes that share the work; None where this one does it all.
    """
    orders = [order for pair in pairs_of(len(participants)) for order in (pair, pair[::-1])]
    episodes = {home: chosen_episodes(recordings[home], states) for _, home in orders}
    sizes = {h: sum(len(recordings[h].episodes[e]) for e in kept) for h, kept in episodes.items()}
    total, done = sum(sizes[home] for _, home in orders), 0
    places = {
        (guest, home): folder / f"{guest + 1}-on-{home + 1}-{file_name(participants[guest].label)}"
        for guest, home in orders
    }
    if workers is not None:
        parts = [
            (
                recordings[home].folder,
                sent_agent(participants[guest].agent),
                places[guest, home],
                episodes[home],
                compute,
            )
            for guest, home in orders
        ]
        workers.results(_revisit, parts, progress, total)
        return {
            (guest, home): open_recording(place, trust_code=participants[guest].agent.trust_code)
            for (guest, home), place in places.items()
        }
    revisits = {}
    for guest, home in orders:
        revisits[guest, home] = revisit(
            recordings[home],
            participants[guest].agent,
            output=places[guest, home],
            episodes=episodes[home],
            compute=compute,
            progress=after(progress, done, total),
        )
        done += sizes[home]
    return revisits


def _revisit(
    progress: Progress,
    recording: Path,
    agent: SentAgent,
    place: Path,
    episodes: Sequence[int],
    compute: Compute,
) -> None:
    """One revisit, in a process of its own."""
    revisit(
        recording,
        agent.load(),
        output=place,
        episodes=episodes,
        compute=compute,
        progress=progress,
    )


def sampled_steps(recording: Recording, episodes: Sequence[int], count: int) -> StepsByEpisode:
    """``count`` states evenly spread over some episodes."""
    homes = np.concatenate([np.full(len(recording.episodes[e]), e) for e in episodes])
    numbers = np.concatenate([recording.episodes[e].steps for e in episodes])
    steps: dict[int, list[int]] = {}
    for place in spread_states(homes, count):
        steps.setdefault(int(homes[place]), []).append(int(numbers[place]))
    return steps


def joined(*parts: StepsByEpisode) -> StepsByEpisode:
    """All states of several choices, each once, in order."""
    episodes = sorted({e for part in parts for e in part})
    return {e: sorted({s for part in parts for s in part.get(e, ())}) for e in episodes}


def restricted(maps: MapSet, steps: StepsByEpisode) -> MapSet:
    """The maps of chosen states only, in memory."""
    wanted = {(e, s) for e, numbers in steps.items() for s in numbers}
    places = zip(maps.episodes.tolist(), maps.steps.tolist(), strict=True)
    rows = np.array([i for i, place in enumerate(places) if place in wanted], np.int64)
    return replace(
        maps,
        values=np.asarray(maps.values[rows]),
        steps=maps.steps[rows],
        episodes=maps.episodes[rows],
        explained_actions=maps.explained_actions[rows],
        gaps=None if maps.gaps is None else maps.gaps[rows],
    )


def after(progress: Progress, before: int, total: int) -> Progress:
    """The progress of one part told as that of the whole."""
    return lambda done, _: progress(before + done, total)
