"""How well an agent's layer knows where each object is, and whether worse before a loss.

Shape letters: T steps, G groups of objects, D coordinates, C units, K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.atari.objects import RecordedObjects, boxes_of, objects_of, ram_of
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.network.places import find_place
from agentlens.network.recognition import failure_auc, probe
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.saliency.engine.settings import torch_threads
from agentlens.saliency.objects import ObjectEraser
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.words.attributes import attributes_of
from agentlens.words.losses import losing_decisions
from agentlens.workflows.describe_result import LOSS_WINDOW
from agentlens.workflows.dissect import usual_places
from agentlens.workflows.untrained import own_states, untrained_twin

CORRUPTED = 6
"""Random windows in which an object is corrupted, of ``LOSS_WINDOW`` steps each."""

MOST_STEPS = 2000
_LEAST_DRAWN = 50


@dataclass(frozen=True, kw_only=True)
class Recognised:
    """One group of objects in one layer.

    ``fit``: R^2 of a linear probe on steps it did not learn from. ``twin``: of the same network
    untrained. ``rolled``: for the label of other steps. ``steps``: in which it is drawn.
    ``failure``: how surely a larger error of the probe tells a step of a failing window: 0.5 is
    chance; NaN where no window fails. ``twin_failure``: the same of the untrained network: places
    that are rare before losses are hard to read from any.
    """

    name: str
    fit: float
    twin: float
    rolled: float
    steps: int
    failure: float
    twin_failure: float

    @property
    def selectivity(self) -> float:
        """What the fit has over both controls."""
        return self.fit - max(self.twin, self.rolled)


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """A layer on the steps of a recording.

    ``objects``: worst before failures first, where there are any. ``windows``: how many; they end
    at a loss, or hold a corrupted object. ``corrupted``: which; "" for losses.
    """

    place: str
    steps: int
    objects: tuple[Recognised, ...]
    windows: int
    corrupted: str


@dataclass(frozen=True, kw_only=True, eq=False)
class _Steps:
    """``observations``: [T, K, H, W]. ``coordinates``: by group [T, D], NaN where not drawn.
    ``failing``: bool [T]. ``windows``: how many there are. ``origins``: int64 [T, 2], each step's
    episode and its place in it."""

    observations: np.ndarray
    states: np.ndarray | None
    coordinates: dict[str, np.ndarray]
    failing: np.ndarray
    windows: int
    origins: np.ndarray


def recognise(
    recording: Recording | Path | str,
    *,
    place: str = "",
    corrupt: str = "",
    seed: int = 0,
    compute: Compute = Compute(),
    agent: Agent | None = None,
) -> Recognition:
    """Probe a layer for the places of all objects.

    Args:
        recording: or its folder, of an Atari game; its first 2,000 steps count.
        place: of the network; the last usual one if not given.
        corrupt: a group of objects that is erased from what the agent sees in random windows, as a
            check: it should come out worst there.
        seed: of the windows.
        compute: where.
        agent: another copy of the recording's own.

    Raises:
        UnknownName: no such place or object.
        InvalidArgument: a network of which no untrained twin can be made, or too few steps.
    """
    recording = open_recording(recording)
    agent = recorded_agent(recording, agent, device=compute.device)
    policy, twin = agent.policy, untrained_twin(agent)
    chosen = find_place(policy, place or usual_places(policy)[-1])
    steps = _steps(recording, corrupt, np.random.default_rng(seed))
    with torch_threads(compute.threads or 1):
        layers = [
            tap(network, [chosen], steps.observations, states, pooled=True)[chosen.name]
            for network, states in (
                (policy, steps.states),
                (twin, own_states(twin, recording, steps.origins)),
            )
        ]
        objects = [
            _recognised(name, coordinates, steps, layers[0], layers[1])
            for name, coordinates in steps.coordinates.items()
        ]
    if not objects:
        raise InvalidArgument(
            f"no object moves in {_LEAST_DRAWN} steps or more: record a longer game."
        )
    objects.sort(key=lambda row: -(row.failure if steps.windows else row.selectivity))
    return Recognition(
        place=chosen.name,
        steps=len(steps.observations),
        objects=tuple(objects),
        windows=steps.windows,
        corrupted=corrupt,
    )


def _recognised(
    name: str, coordinates: np.ndarray, steps: _Steps, own: np.ndarray, twin: np.ndarray
) -> Recognised:
    drawn = np.isfinite(coordinates).all(1)
    wanted = coordinates[drawn]
    fitted, untrained = probe(own[drawn], wanted), probe(twin[drawn], wanted)
    return Recognised(
        name=name,
        fit=fitted.fit,
        twin=untrained.fit,
        rolled=probe(own[drawn], np.roll(wanted, len(wanted) // 2, axis=0)).fit,
        steps=int(drawn.sum()),
        failure=failure_auc(fitted.errors, steps.failing[drawn]),
        twin_failure=failure_auc(untrained.errors, steps.failing[drawn]),
    )


def _steps(recording: Recording, corrupt: str, rng: np.random.Generator) -> _Steps:
    """The first steps of a recording, what is where, and which of them fail."""
    recorded = objects_of(recording)
    if corrupt and corrupt not in recorded.groups:
        raise UnknownName("object", corrupt, recorded.groups)
    parts, left = [], MOST_STEPS
    for episode in recording.episodes:
        count = min(left, len(episode))
        if count:
            parts.append((episode, count))
        left -= count
    total = sum(count for _, count in parts)
    failing = np.concatenate([_before_losses(episode, count) for episode, count in parts])
    if corrupt:
        failing = np.zeros(total, np.bool_)
        for start in rng.choice(max(1, total - LOSS_WINDOW), CORRUPTED, replace=False):
            failing[start : start + LOSS_WINDOW] = True
    seen = np.concatenate([episode.observations[0:count] for episode, count in parts])
    if corrupt:
        _erase(seen, recording, recorded, corrupt, parts, failing)
    states = [episode.states for episode, _ in parts]
    kept = [s[:count] for s, (_, count) in zip(states, parts, strict=True) if s is not None]
    return _Steps(
        observations=seen,
        states=np.concatenate(kept) if kept else None,
        coordinates=_coordinates(parts, recorded),
        failing=failing,
        windows=int((np.diff(failing.astype(np.int8), prepend=0) > 0).sum()),
        origins=np.concatenate(
            [np.stack([np.full(n, e.index), np.arange(n)], 1) for e, n in parts]
        ),
    )


def _erase(
    seen: np.ndarray,
    recording: Recording,
    recorded: RecordedObjects,
    corrupt: str,
    parts: Sequence[tuple[Episode, int]],
    failing: np.ndarray,
) -> None:
    """Take an object out of every plane of the failing steps' observations, in place."""
    eraser, row = ObjectEraser(recording, recorded), 0
    erased = 1 << eraser.names.index(corrupt)
    for episode, count in parts:
        for step in range(count):
            if failing[row]:
                seen[row] = eraser.stack(episode, step, [erased])[0]
            row += 1


def _coordinates(
    parts: Sequence[tuple[Episode, int]], recorded: RecordedObjects
) -> dict[str, np.ndarray]:
    """By group the middle of what is drawn, those coordinates that change: [T, D]."""
    tables = []
    for episode, count in parts:
        screens = episode.screens.indices[0:count]
        tables.append(attributes_of(boxes_of(screens, ram_of(episode)[:count], recorded.finder)))
    coordinates = {}
    for group, name in enumerate(tables[0].groups):
        columns = [np.concatenate([getattr(t, axis)[:, group] for t in tables]) for axis in "yx"]
        moving = [c for c in columns if np.isfinite(c).sum() >= _LEAST_DRAWN and np.nanstd(c) >= 1]
        if moving:
            coordinates[name] = np.stack(moving, 1)
    return coordinates


def _before_losses(episode: Episode, count: int) -> np.ndarray:
    """The steps up to a lost point or life: bool [T]."""
    failing = np.zeros(count, np.bool_)
    for step in np.flatnonzero(losing_decisions(episode)[:count]):
        failing[max(0, step - LOSS_WINDOW) : step + 1] = True
    return failing
