"""A map of an agent's states by what a layer gives, as a page that shows their frames.

Shape letters: T states, C units of the layer, Y X screen.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from agentlens.compute import Compute
from agentlens.envs.atari.objects import boxes_of, facts_of, objects_of
from agentlens.errors import AlreadyExists, InvalidArgument
from agentlens.network.places import Place, find_place
from agentlens.network.state_maps import (
    nearest,
    neighbour_map,
    principal_map,
    told_share,
    told_variance,
)
from agentlens.network.taps import tap
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy
from agentlens.store.atomic import write_file
from agentlens.store.recording import Recording, open_recording
from agentlens.viewer.state_map import StateMap, state_map_page
from agentlens.workflows.dissect import box_coordinates
from agentlens.workflows.state_colours import by_label, by_number, draw_map
from agentlens.workflows.untrained import own_states, untrained_twin

MOST_STATES = 400

MapKind = Literal["pca", "umap"]


@dataclass(frozen=True, kw_only=True)
class MapPlan:
    """How states are mapped.

    Raises:
        InvalidArgument: a number out of range, or another kind of map.
    """

    kind: MapKind = "pca"
    """pca: two principal components; umap: by neighbours, where umap-learn is installed."""
    states: int = MOST_STATES
    """States at most, evenly spread over the recording."""

    def __post_init__(self) -> None:
        if self.kind not in ("pca", "umap"):
            raise InvalidArgument(f"map {self.kind!r}: expected pca or umap.")
        if type(self.states) is not int or not 20 <= self.states <= 5000:
            raise InvalidArgument(f"{self.states!r} states: expected 20 to 5000.")


@dataclass(frozen=True, kw_only=True)
class ToldFigure:
    """How far the map orders a figure.

    ``own``, ``untrained``: share of a number's variance, or of labels, that the ten nearest
    states on the map tell, at least 50 decisions away; of the agent's layer and of an untrained
    network's (None where none can be made).
    """

    name: str
    own: float
    untrained: float | None


@dataclass(frozen=True, kw_only=True)
class StateMapResult:
    """What ``map_states`` wrote. ``share``: of the layer's variance on the map, None for umap."""

    page: Path
    picture: Path
    states: int
    share: float | None
    told: tuple[ToldFigure, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class _States:
    """Chosen states. ``steps``, ``games``: [T]; ``screens``: uint8 [T, Y, X, 3]."""

    games: np.ndarray
    steps: np.ndarray
    screens: np.ndarray
    observations: np.ndarray
    memory: np.ndarray | None
    actions: np.ndarray
    numbers: dict[str, np.ndarray]


def map_states(
    recording: Recording | Path | str,
    place: str,
    plan: MapPlan | None = None,
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
) -> StateMapResult:
    """Lay the states of a recording out by what a layer gives, and write a page and a picture.

    Args:
        recording: or its folder.
        place: a layer such as "torso.8"; spatial ones are flattened.
        plan: which map, of how many states.
        compute: where.
        output: the page; ``map-PLACE.html`` in the recording's folder if not given.
        force: replace what is there already.

    Raises:
        UnknownName, InvalidArgument: no such place, too few states, or umap-learn is missing.
        AlreadyExists: page or picture are there, and ``force`` was not given.
    """
    recording, plan = open_recording(recording), plan or MapPlan()
    page = Path(output) if output is not None else recording.folder / f"map-{place}.html"
    picture = page.with_suffix(".png")
    if not force and (page.exists() or picture.exists()):
        raise AlreadyExists(
            f"{page}: the map or its picture is there already; --force replaces them."
        )
    agent = recorded_agent(recording, device=compute.device)
    where = find_place(agent.policy, place)
    states = _chosen(recording, plan.states)
    points, share = _laid_out(agent.policy, where, states, plan.kind)
    far = _untrained_neighbours(agent, recording, where, states, plan.kind)
    told = _told(states, nearest(points, states.games, states.steps), far)
    colourings = [
        by_number(name, values, _note(figure))
        for (name, values), figure in zip(states.numbers.items(), told[:-1], strict=True)
    ]
    colourings.append(
        by_label("action", states.actions, agent.spec.action.meanings, _note(told[-1]))
    )
    name = recording.header.agent.name
    best = sorted(range(1, len(told) - 1), key=lambda i: -np.nan_to_num(told[i].own, nan=-1.0))
    shown = [colourings[i] for i in (0, *best[:2], -1)]
    draw_map(points, shown, f"{name}: {place}", picture, force=force)
    content = StateMap(
        title=f"{name}: states by {place}",
        lead=_lead(place, len(points), share),
        points=points,
        names=[f"game {g}, step {s}" for g, s in zip(states.games, states.steps, strict=True)],
        frames=[_png(screen) for screen in states.screens],
        colourings=colourings,
        frame_shape=states.screens.shape[1:3],
    )
    write_file(page, state_map_page(content).encode())
    return StateMapResult(
        page=page, picture=picture, states=len(points), share=share, told=tuple(told)
    )


def _laid_out(
    policy: Policy, place: Place, states: _States, kind: MapKind
) -> tuple[np.ndarray, float | None]:
    """The states on a map, float64 [T, 2], and the share of the layer's variance on it."""
    values = tap(policy, [place], states.observations, states.memory)[place.name]
    layer = values.reshape(len(values), -1).astype(np.float32)
    return principal_map(layer) if kind == "pca" else (neighbour_map(layer), None)


def _untrained_neighbours(
    agent: Agent, recording: Recording, place: Place, states: _States, kind: MapKind
) -> np.ndarray | None:
    """Neighbours on the map of a network that never learned, with a memory of its own; None where
    none can be made."""
    if not isinstance(agent.policy, ChainPolicy):
        return None
    twin = untrained_twin(agent)
    memory = own_states(twin, recording, np.stack([states.games, states.steps], 1))
    points, _ = _laid_out(twin, place, dataclasses.replace(states, memory=memory), kind)
    return nearest(points, states.games, states.steps)


def _chosen(recording: Recording, most: int) -> _States:
    """States evenly spread over all episodes, with what they are coloured by."""
    total = sum(len(episode) for episode in recording.episodes)
    wanted = np.unique(np.linspace(0, max(total - 1, 0), min(most, total)).astype(int))
    parts: list[_States] = []
    before = 0
    for episode in recording.episodes:
        rows = wanted[(wanted >= before) & (wanted < before + len(episode))] - before
        before += len(episode)
        if not len(rows):
            continue
        numbers = {"step": episode.steps[rows].astype(np.float64)}
        if episode.values is not None:
            numbers = {"value": np.asarray(episode.values, np.float64)[rows], **numbers}
        indices = np.stack([episode.screens.indices[int(row)] for row in rows])
        parts.append(
            _States(
                games=np.full(len(rows), episode.index),
                steps=np.asarray(episode.steps)[rows],
                screens=np.stack([episode.screens[int(row)] for row in rows]),
                observations=np.concatenate([episode.observations[r : r + 1] for r in rows]),
                memory=None if episode.states is None else np.asarray(episode.states)[rows],
                actions=np.asarray(episode.actions)[rows],
                numbers={**numbers, **_coordinates(recording, indices, episode.ram, rows)},
            )
        )
    if len(wanted) < 20:
        raise InvalidArgument(f"{len(wanted)} states: expected 20 or more; record a longer game.")
    return _joined(parts)


def _coordinates(
    recording: Recording, indices: np.ndarray, ram: np.ndarray, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """Where the objects are, for games whose objects are known."""
    if facts_of(recording.header.agent.environment.game) is None:
        return {}
    objects = objects_of(recording)
    boxes = boxes_of(indices, ram[rows], objects.finder)
    return box_coordinates(boxes.edges, boxes.drawn, objects.names)


def _joined(parts: Sequence[_States]) -> _States:
    names = [name for name in parts[0].numbers if all(name in part.numbers for part in parts)]
    memories = [part.memory for part in parts if part.memory is not None]
    return _States(
        games=np.concatenate([part.games for part in parts]),
        steps=np.concatenate([part.steps for part in parts]),
        screens=np.concatenate([part.screens for part in parts]),
        observations=np.concatenate([part.observations for part in parts]),
        memory=np.concatenate(memories) if memories else None,
        actions=np.concatenate([part.actions for part in parts]),
        numbers={name: np.concatenate([part.numbers[name] for part in parts]) for name in names},
    )


def _told(states: _States, near: np.ndarray, far: np.ndarray | None) -> list[ToldFigure]:
    figures = [
        ToldFigure(
            name=name,
            own=told_variance(values, near),
            untrained=None if far is None else told_variance(values, far),
        )
        for name, values in states.numbers.items()
    ]
    share = None if far is None else told_share(states.actions, far)
    return [
        *figures,
        ToldFigure(name="action", own=told_share(states.actions, near), untrained=share),
    ]


def _note(figure: ToldFigure) -> str:
    what = "of the states' actions" if figure.name == "action" else "of its variance"
    text = f"the ten nearest states tell {max(figure.own, 0):.0%} {what}"
    if not np.isfinite(figure.own):
        return ""
    if figure.untrained is None:
        return text
    return f"{text}; on an untrained network's map {max(figure.untrained, 0):.0%}"


def _lead(place: str, count: int, share: float | None) -> str:
    kind = "UMAP" if share is None else f"two principal components, {share:.0%} of its variance"
    return (
        f"{count} states of the recording, laid out by what {place} gives ({kind}). "
        "States that the layer gives alike values lie near each other. Rows and columns of objects "
        "are screen pixels of their middles, from the top left; nearest states count from 50 "
        "decisions away in the game."
    )


def _png(screen: np.ndarray) -> bytes:
    """A screen as PNG, with a palette where that loses nothing."""
    buffer = io.BytesIO()
    picture = Image.fromarray(screen)
    few = picture.getcolors(256)
    (picture.quantize(256) if few else picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
