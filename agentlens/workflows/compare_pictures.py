"""The videos and stills of a comparison, drawn from its recordings and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agentlens.comparison.behaviour import state_measures
from agentlens.comparison.moments import Moment, StepsByEpisode
from agentlens.comparison.outputs import SharedStates
from agentlens.comparison.report import Picture
from agentlens.drawing.colour import darkened_grey
from agentlens.drawing.film import Film
from agentlens.drawing.scale import Scale, shared_scales
from agentlens.drawing.side_by_side import (
    MOST,
    Column,
    SideBySidePage,
    side_by_side,
    side_by_side_page,
)
from agentlens.errors import InvalidArgument
from agentlens.progress import Progress
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording
from agentlens.workflows.revisits import Revisits

OWN, SAME, DIFFERENCE = "side_by_side.mp4", "same_states.mp4", "difference.mp4"
_ONE_SCALE = "heat of all on one scale"
_OWN_SCALES = "each agent's heat on its own scale: their bars differ"


@dataclass(frozen=True, kw_only=True, eq=False)
class Gallery:
    """Everything there is to draw.

    ``recordings``: each agent's own play. ``revisits``: by (guest, home). ``maps``: map
    sets by (agent, home). ``disagreement``: the steps of the first agent's play in which it and
    the last one differ most, by home. ``own_scales``: give every agent's heat its own scale.
    """

    recordings: Sequence[Recording]
    labels: Sequence[str]
    revisits: Revisits
    maps: Mapping[tuple[int, int], MapSet]
    disagreement: Mapping[int, StepsByEpisode] = field(default_factory=dict)
    own_scales: bool = False

    def played(self, agent: int, home: int) -> Recording:
        """An agent's own play, or its revisit of another's."""
        return self.recordings[home] if agent == home else self.revisits[agent, home]

    def screen(self, agent: int) -> np.ndarray:
        """A grey screen from the middle of an agent's first finished game: uint8 [Y, X, 3]."""
        episode = next(e for e in self.recordings[agent].episodes if e.complete and len(e))
        grey = darkened_grey(episode.screens[len(episode) // 2])
        return np.repeat(grey[..., None], 3, axis=2)

    def opening(self, home: int, steps: int) -> StepsByEpisode:
        """The first decisions of an agent's first game."""
        episode = self.recordings[home].episodes[0]
        return {0: range(min(steps, len(episode)))} if steps else {}

    def scales(self, sets: Sequence[MapSet]) -> dict[str, Scale]:
        """One scale a target for several map sets; none if their units differ."""
        try:
            return shared_scales(sets)
        except InvalidArgument:
            return {}


def disagreement(
    shared: Mapping[tuple[int, int], SharedStates], last: int, steps: int
) -> dict[int, StepsByEpisode]:
    """The run of ``steps`` decisions of the first agent's play in which the last agent differs
    most."""
    if steps == 0 or (last, 0) not in shared:
        return {}
    states = shared[last, 0]
    measures = state_measures(states)
    distance = measures.get("total_variation", 1.0 - measures["greedy_agreement"])
    best: tuple[float, int, int, int] = (-1.0, 0, 0, 0)
    for episode in np.unique(states.episodes):
        amounts = distance[states.episodes == episode]
        length = min(steps, len(amounts))
        sums = np.convolve(amounts, np.ones(length), "valid")
        at = int(sums.argmax())
        best = max(best, (float(sums[at]), int(episode), at, at + length))
    _, episode, start, end = best
    return {0: {int(episode): range(start, end)}}


def draw_videos(
    gallery: Gallery, folder: Path, *, steps: int, progress: Progress
) -> dict[str, str]:
    """Draw every video that can be; returns what each file shows, by name."""
    shown: dict[str, str] = {}
    if steps == 0:
        return shown
    agents = _cast(len(gallery.labels))
    side_by_side(_own_games(gallery, agents, steps), folder / OWN, progress=progress)
    shown[OWN] = "each agent's own game from the same seed, from the start"
    last = len(gallery.labels) - 1
    for (_, states), (name, difference) in (
        (item, kind)
        for item in gallery.disagreement.items()
        for kind in ((SAME, False), (DIFFERENCE, True))
    ):
        ((episode, span),) = states.items()
        page = _same_states(gallery, 0, [0, last], episode, list(span), difference=difference)
        if page is None:
            continue
        side_by_side(page, folder / name, progress=progress)
        where = (
            f"{gallery.labels[0]}'s episode {episode}, steps {span[0]} to {span[-1]}, "
            "where they differ most"
        )
        shown[name] = (
            f"the difference of both heats on {where}"
            if difference
            else f"both agents asked about the same states: {where}"
        )
    return shown


def draw_moments(
    gallery: Gallery, moments: Sequence[Moment], videos: Mapping[str, str]
) -> list[Picture]:
    """A still of every moment, linked to the video that shows it."""
    pictures = []
    places = {label: i for i, label in enumerate(gallery.labels)}
    for moment in moments:
        home = places[moment.states_of]
        agents = [places[moment.first], places[moment.second]]
        page = _same_states(gallery, home, agents, moment.episode, [moment.step], difference=False)
        if page is None:
            continue
        contexts = [c.film.context(0) for c in page.columns]
        pixels = page.draw(contexts, [False] * len(contexts))
        link = _link(gallery, home, agents, moment) if SAME in videos else ""
        pictures.append(Picture(moment=moment, pixels=pixels, video=link))
    return pictures


def _cast(count: int) -> list[int]:
    """Which agents appear together: all, or the first, the last and those evenly between."""
    return [round(place) for place in np.linspace(0, count - 1, min(count, MOST))]


def _own_games(gallery: Gallery, agents: Sequence[int], steps: int) -> SideBySidePage:
    columns = []
    sets = {a: gallery.maps.get((a, a)) for a in agents}
    known = [m for m in sets.values() if m is not None]
    mapped = len(known) == len(agents)
    scales = gallery.scales(known) if mapped and not gallery.own_scales else {}
    for agent in agents:
        ((episode, span),) = gallery.opening(agent, steps).items()
        film = Film(
            gallery.recordings[agent],
            sets[agent] if mapped else None,
            steps=list(span),
            episode=episode,
            scales=scales,
        )
        columns.append(Column(label=gallery.labels[agent], place=agent, film=film))
    heats = _ONE_SCALE if scales else _OWN_SCALES
    return side_by_side_page(
        columns,
        title="Own games from the same seed",
        facts=f"each plays its own game · {heats}" if mapped else "each plays its own game",
        games=True,
    )


def _same_states(
    gallery: Gallery,
    home: int,
    agents: Sequence[int],
    episode: int,
    steps: Sequence[int],
    *,
    difference: bool,
) -> SideBySidePage | None:
    """Agents on the same states; None where a difference is wanted and there are no maps."""
    sets = {a: gallery.maps.get((a, home)) for a in agents}
    known = [m for m in sets.values() if m is not None]
    mapped = len(known) == len(agents)
    one_scale = difference or not gallery.own_scales
    scales = gallery.scales(known) if mapped and one_scale else {}
    if difference and not scales:
        return None
    columns = []
    for agent in agents:
        film = Film(
            gallery.played(agent, home),
            sets[agent] if mapped else None,
            steps=steps,
            episode=episode,
            scales=scales,
        )
        note = "its own game" if agent == home else "asked about it"
        columns.append(Column(label=gallery.labels[agent], place=agent, film=film, note=note))
    heats = f" · {_ONE_SCALE if scales else _OWN_SCALES}" if mapped else ""
    return side_by_side_page(
        columns,
        title=f"{gallery.labels[home]}'s game",
        facts=f"both see the same states; the mark is what {gallery.labels[home]} did{heats}",
        difference=difference,
    )


def _link(gallery: Gallery, home: int, agents: Sequence[int], moment: Moment) -> str:
    """Where ``same_states.mp4`` shows a moment, as a link with its time; "" where it does not."""
    span = gallery.disagreement.get(home, {}).get(moment.episode, ())
    if moment.step not in span or sorted(agents) != [0, len(gallery.labels) - 1]:
        return ""
    episode = next(e for e in gallery.recordings[home].episodes if e.index == moment.episode)
    frames = episode.frames_advanced[span[0] : moment.step]
    return f"{SAME}#t={float(np.sum(frames)) / 60:.2f}"
