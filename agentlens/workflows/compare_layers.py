"""How alike the layers of compared agents represent the same states, beside untrained networks.

Shape letters: T steps, C units of a layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.comparison.layers import LayerSimilarity
from agentlens.comparison.moments import StepsByEpisode
from agentlens.network.places import find_place, list_places
from agentlens.network.similarity import LEAST_STEPS, linear_cka
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy
from agentlens.progress import Progress
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.compare_plan import ComparisonRun
from agentlens.workflows.dissect import usual_places
from agentlens.workflows.revisits import chosen_episodes, pairs_of, sampled_steps
from agentlens.workflows.sent_agents import SentAgent, sent_agent
from agentlens.workflows.untrained import TWIN_SEED, own_states, untrained_twin

Layers = Mapping[str, np.ndarray]
"""By place, what it gives on the same T states: float [T, C]."""

LayerStates = Sequence[tuple[np.ndarray, np.ndarray | None]]
"""By episode, observations [t, K, H, W] and the recurrent states before them [t, S], if any."""


def layer_similarities(run: ComparisonRun, gallery: Gallery) -> tuple[LayerSimilarity, ...]:
    """Every layer that both agents of a pair have under one name, on the states of each.

    Notes:
        ``plan.layer_steps`` forward passes for each agent, side and untrained twin, and as many
        squared products of a layer's width.
    """
    pairs = pairs_of(len(run.participants))
    sides = [_side(run, gallery, *order) for pair in pairs for order in (pair, pair[::-1])]
    agents = [_agents(run, side) for side in sides]
    rows: list[list[LayerSimilarity]] = []
    with run.progress.stage("comparing layers", "sides") as report:
        if run.workers is not None:
            parts = [
                (side, [sent_agent(agent) for agent in seen])
                for side, seen in zip(sides, agents, strict=True)
            ]
            rows = run.workers.results(_sent_rows, parts, report, len(sides))
        else:
            for side, seen in zip(sides, agents, strict=True):
                rows.append(side.rows(seen))
                report(len(rows), len(sides))
    return tuple(itertools.chain(*rows))


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One agent's states, on which its layers are compared with another's.

    ``home``, ``guest``: places among the agents. ``own``, ``visit``: folders of their recordings of
    these states. ``twinned``: whether home's seed twin is compared with it, too.
    """

    home: int
    guest: int
    labels: tuple[str, ...]
    own: Path
    visit: Path
    steps: StepsByEpisode
    twinned: bool

    def rows(self, agents: Sequence[Agent]) -> list[LayerSimilarity]:
        """Every layer that both have under one name. ``agents``: home, guest, and any twin."""
        pair = agents[:2]
        shared = _shared_places(*(agent.policy for agent in pair))
        count = sum(map(len, self.steps.values()))
        if not shared or count < LEAST_STEPS:
            return []
        recordings = [
            open_recording(folder, trust_code=agent.trust_code)
            for folder, agent in zip((self.own, self.visit), pair, strict=True)
        ]
        observed = [_layer_states(recording, self.steps) for recording in recordings]
        mine, theirs = (
            _layers(agent.policy, shared, parts)
            for agent, parts in zip(pair, observed, strict=True)
        )
        blank = [_untrained(agent, TWIN_SEED + n) for n, agent in enumerate(pair)]
        untrained: list[Layers] = [
            _layers(policy, shared, _with_own_states(policy, recording, self.steps, parts))
            for policy, recording, parts in zip(blank, recordings, observed, strict=True)
            if policy is not None
        ]
        seeded: Layers = {}
        if self.twinned:
            names = _shared_places(pair[0].policy, agents[-1].policy)
            seeded = _layers(agents[-1].policy, [n for n in shared if n in names], observed[0])
        first, second = sorted((self.home, self.guest))
        return [
            LayerSimilarity(
                first=self.labels[first],
                second=self.labels[second],
                states_of=self.labels[self.home],
                layer=name,
                cka=linear_cka(mine[name], theirs[name]),
                untrained=(
                    linear_cka(*(u[name] for u in untrained)) if len(untrained) == 2 else None
                ),
                seed_twin=linear_cka(mine[name], seeded[name]) if name in seeded else None,
                steps=count,
            )
            for name in shared
        ]


def _side(run: ComparisonRun, gallery: Gallery, home: int, guest: int) -> _Side:
    own = gallery.recordings[home]
    return _Side(
        home=home,
        guest=guest,
        labels=run.labels,
        own=own.folder,
        visit=gallery.revisits[guest, home].folder,
        steps=sampled_steps(own, chosen_episodes(own, run.plan.states), run.plan.layer_steps),
        twinned=home == 0 and _twin_sees_alike(run),
    )


def _agents(run: ComparisonRun, side: _Side) -> list[Agent]:
    """The agents that a side is about."""
    pair = [run.participants[i].agent for i in (side.home, side.guest)]
    return [*pair, run.seed_twin.agent] if side.twinned and run.seed_twin else pair


def _twin_sees_alike(run: ComparisonRun) -> bool:
    """Whether the first agent's seed twin sees what it sees, and has no memory that would have to
    be run along."""
    twin = run.seed_twin
    if twin is None or twin.agent.policy.state_size:
        return False
    return twin.spec.observation == run.participants[0].spec.observation


def _sent_rows(
    progress: Progress, side: _Side, agents: Sequence[SentAgent]
) -> list[LayerSimilarity]:
    """One side, in a process of its own."""
    rows = side.rows([agent.load() for agent in agents])
    progress(1, 1)
    return rows


def _shared_places(first: Policy, second: Policy) -> list[str]:
    """The usual places of the first that the second has, too, of the same kind."""
    others = {place.name: place.kind for place in list_places(second)}
    return [
        name for name in usual_places(first) if others.get(name) == find_place(first, name).kind
    ]


def _layer_states(recording: Recording, steps: StepsByEpisode) -> LayerStates:
    parts = []
    for place, numbers in steps.items():
        episode = recording.episodes[place]
        observations = np.concatenate([episode.observations[s : s + 1] for s in numbers])
        states = None if episode.states is None else np.asarray(episode.states)[list(numbers)]
        parts.append((observations, states))
    return parts


def _with_own_states(
    policy: Policy, recording: Recording, steps: StepsByEpisode, observed: LayerStates
) -> LayerStates:
    """The same states with the memory that an untrained policy itself has there."""
    return [
        (observations, own_states(policy, recording, np.array([(place, s) for s in numbers])))
        for (observations, _), (place, numbers) in zip(observed, steps.items(), strict=True)
    ]


def _layers(policy: Policy, names: Sequence[str], observed: LayerStates) -> Layers:
    """What the places give on these states: float32 [T, C], spatial places flattened."""
    places = [find_place(policy, name) for name in names]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for observations, states in observed:
        for name, values in tap(policy, places, observations, states).items():
            parts[name].append(values.reshape(len(values), -1).astype(np.float32))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _untrained(agent: Agent, seed: int) -> Policy | None:
    """A network of the same shape that never learned, on the same device."""
    return untrained_twin(agent, seed) if isinstance(agent.policy, ChainPolicy) else None
