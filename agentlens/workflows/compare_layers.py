"""How alike the layers of compared agents represent the same states, beside untrained networks.

Shape letters: T steps, C units of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agentlens.comparison.layers import LayerSimilarity
from agentlens.comparison.moments import StepsByEpisode
from agentlens.network.places import find_place, list_places
from agentlens.network.similarity import LEAST_STEPS, linear_cka
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy
from agentlens.store.recording import Recording
from agentlens.workflows.compare_pictures import Gallery
from agentlens.workflows.compare_plan import ComparisonRun
from agentlens.workflows.dissect import usual_places
from agentlens.workflows.revisits import chosen_episodes, pairs_of, sampled_steps
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
    rows: list[LayerSimilarity] = []
    with run.progress.stage("comparing layers", "pairs") as report:
        pairs = pairs_of(len(run.participants))
        for done, (first, second) in enumerate(pairs):
            for home, guest in ((first, second), (second, first)):
                rows += _on_states_of(run, gallery, home, guest)
            report(done + 1, len(pairs))
    return tuple(rows)


def _on_states_of(
    run: ComparisonRun, gallery: Gallery, home: int, guest: int
) -> list[LayerSimilarity]:
    own, visit = gallery.recordings[home], gallery.revisits[guest, home]
    agents = [run.participants[i].agent for i in (home, guest)]
    shared = _shared_places(*(agent.policy for agent in agents))
    steps = sampled_steps(own, chosen_episodes(own, run.plan.states), run.plan.layer_steps)
    count = sum(map(len, steps.values()))
    if not shared or count < LEAST_STEPS:
        return []
    recordings = (own, visit)
    observed = [_layer_states(recording, steps) for recording in recordings]
    mine, theirs = (
        _layers(agent.policy, shared, parts) for agent, parts in zip(agents, observed, strict=True)
    )
    blank = [_untrained(agent, TWIN_SEED + n) for n, agent in enumerate(agents)]
    untrained: list[Layers] = [
        _layers(policy, shared, _with_own_states(policy, recording, steps, parts))
        for policy, recording, parts in zip(blank, recordings, observed, strict=True)
        if policy is not None
    ]
    seeded = _seed_twin_layers(run, home, shared, observed[0])
    first, second = sorted((home, guest))
    return [
        LayerSimilarity(
            first=run.labels[first],
            second=run.labels[second],
            states_of=run.labels[home],
            layer=name,
            cka=linear_cka(mine[name], theirs[name]),
            untrained=linear_cka(*(u[name] for u in untrained)) if len(untrained) == 2 else None,
            seed_twin=linear_cka(mine[name], seeded[name]) if name in seeded else None,
            steps=count,
        )
        for name in shared
    ]


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


def _seed_twin_layers(
    run: ComparisonRun, home: int, names: Sequence[str], observed: LayerStates
) -> Layers:
    """What the first agent's seed twin gives on the first agent's states, where both see alike
    and neither has a memory that would have to be run along."""
    twin = run.seed_twin
    if twin is None or home != 0 or twin.spec.observation != run.participants[0].spec.observation:
        return {}
    if twin.agent.policy.state_size:
        return {}
    shared = _shared_places(run.participants[0].agent.policy, twin.agent.policy)
    return _layers(twin.agent.policy, [n for n in names if n in shared], observed)
