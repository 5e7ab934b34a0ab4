"""Mean maps as a picture: one screen a group and target, one scale a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from agentlens.drawing import caption
from agentlens.drawing.context import FrameContext, Layer
from agentlens.drawing.draw import Draw, MeanBy
from agentlens.drawing.files import DrawnFile, refuse_existing
from agentlens.drawing.film import Film
from agentlens.drawing.heat import draw_contours, heat_on_screen, newest_plane, screen_heat
from agentlens.drawing.means import BEFORE, MeanMap, mean_maps
from agentlens.drawing.panels import colour_bar
from agentlens.drawing.pixels import canvas, fill, paste, paste_fitted
from agentlens.drawing.scale import Scale, scale_from
from agentlens.drawing.sheet import write_png
from agentlens.drawing.text import SMALL, TITLE, draw_text
from agentlens.errors import UnknownName
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording

FEW = 5
"""A mean of fewer maps strikes the eye: it tells of single steps."""
_SCREENS = 25
"""Screens of a group whose median lies under its heat."""
_MARGIN, _GAP, _HEADER, _LABEL, _WIDEST_BAR, _NARROWEST = 16, 16, 76, 38, 640, 560
_OF = {
    "episode": "mean maps of each episode",
    "action": "mean maps by the action taken",
    "moment": f"mean maps of the {BEFORE} steps up to moments",
}


def mean_picture(
    recording: Recording | Path | str,
    maps: MapSet,
    output: Path | str,
    by: MeanBy = "action",
    *,
    episode: int = 0,
    steps: slice | None = None,
    draw: Draw = Draw(),
    force: bool = False,
) -> Path:
    """Draw mean maps as a png; returns its path. See ``mean_maps`` for what is averaged.

    Each screen says how many maps its mean is of; under the heat lies the median of some of the
    group's screens. Full heat is the largest mean of the picture, in the unit of the colour bar.

    Args:
        recording, maps, by, episode, steps: as ``mean_maps``.
        output: a png file.
        draw: targets (``heats``), ``limits``, theme and scale.
        force: overwrite an existing file.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        InvalidArgument, UnknownName: as ``mean_maps``; or another suffix.
        DiskError: the disk is full, failing or read-only.
    """
    output = Path(output)
    if output.suffix.lower() != ".png":
        raise UnknownName("suffix of a picture of mean maps", output.suffix, (".png",))
    refuse_existing(output, force)
    recording = open_recording(recording)
    means = mean_maps(recording, maps, by, targets=draw.heats or None, episode=episode, steps=steps)
    write_png(_draw(_Page(recording, maps, means, by, draw)), output, force=force)
    return DrawnFile(output)


@dataclass(frozen=True)
class _Page:
    """What is drawn."""

    recording: Recording
    maps: MapSet
    means: tuple[MeanMap, ...]
    by: MeanBy
    draw: Draw

    def layers(self) -> tuple[Layer, ...]:
        """The targets with one scale for all groups: the largest mean, or the chosen limit."""
        layers = []
        for place, target in enumerate(self.means[0].targets):
            maxima = np.array([np.abs(mean.values[place]).max() for mean in self.means])
            limit = self.draw.limits.get(target.name)
            scale = Scale(target=target, limit=limit) if limit else scale_from(target, maxima)
            layers.append(Layer(target=target, scale=scale))
        return tuple(layers)

    def context(self, mean: MeanMap) -> FrameContext:
        """The group as panels look at a step: its median screen and its mean maps."""
        film = Film(
            self.recording,
            self.maps,
            steps=mean.steps.tolist(),
            episode=mean.episode,
            targets=[target.name for target in mean.targets],
            theme=self.draw.theme,
        )
        places = np.unique(np.linspace(0, len(film) - 1, _SCREENS).round().astype(int))
        contexts = list(film.contexts(places.tolist()))
        median = np.median([context.screen for context in contexts], axis=0).astype(np.uint8)
        values = {
            target.name: mean.values[place].astype(np.float32)
            for place, target in enumerate(mean.targets)
        }
        return replace(
            contexts[0],
            scene=replace(film.scene, layers=self.layers()),
            screen=median,
            background=median,
            maps=values,
        )


def _draw(page: _Page) -> np.ndarray:
    """The whole picture: a header, a row a target with its colour bar, a column a group."""
    contexts = [page.context(mean) for mean in page.means]
    scene = contexts[0].scene
    factor = max(1, page.draw.scale - 1)
    cell = scene.screen_shape[0] * factor, scene.screen_shape[1] * factor
    width = max(2 * _MARGIN + len(contexts) * (cell[1] + _GAP) - _GAP, _NARROWEST)
    pitch = _LABEL + cell[0] + 8 + colour_bar.HEIGHT + _GAP
    top = _MARGIN + _HEADER
    picture = canvas((width, top + len(scene.layers) * pitch), scene.theme.background)
    _write_header(picture, page, contexts)
    for row, layer in enumerate(scene.layers):
        upper = top + row * pitch
        for column, (mean, context) in enumerate(zip(page.means, contexts, strict=True)):
            left = _MARGIN + column * (cell[1] + _GAP)
            _draw_mean(picture, mean, context, layer, (left, upper), cell)
        size = min(width - 2 * _MARGIN, _WIDEST_BAR), colour_bar.HEIGHT
        bar = colour_bar.ColourBar(size=size, target=layer.target.name).draw(contexts[0])
        paste(picture, bar, _MARGIN, upper + _LABEL + cell[0] + 8)
    return picture


def _write_header(picture: np.ndarray, page: _Page, contexts: Sequence[FrameContext]) -> None:
    scene, theme, room = contexts[0].scene, contexts[0].scene.theme, picture.shape[1] - 2 * _MARGIN
    title = caption.joined(scene.title, _OF[page.by])
    draw_text(picture, title, _MARGIN, _MARGIN, size=TITLE, colour=theme.text, width=room)
    planes = len(scene.plane_names) > 1
    plane = f"plane {scene.plane_names[newest_plane(scene)]}, the newest" if planes else ""
    episode = "" if page.by == "episode" else f"episode {page.means[0].episode}"
    signed = any(layer.target.signed for layer in scene.layers)
    notes = "opposite signs cancel in a mean" if signed else ""
    if any(layer.target.name == "contrast" for layer in scene.layers):
        other = page.maps.header.contrast or "its own best other action"
        notes = caption.joined(*filter(None, (notes, f"each step against {other}")))
    lines = ((episode, scene.method, plane), (notes, "under the heat: the median screen"))
    for place, parts in enumerate(lines):
        line, top = caption.joined(*filter(None, parts)), _MARGIN + 28 + 18 * place
        draw_text(picture, line, _MARGIN, top, size=SMALL, colour=theme.muted, width=room)


def _draw_mean(
    picture: np.ndarray,
    mean: MeanMap,
    context: FrameContext,
    layer: Layer,
    corner: tuple[int, int],
    cell: tuple[int, int],
) -> None:
    """One screen with a mean's heat; above it the group and how many maps there are."""
    (left, top), (height, width), theme = corner, cell, context.scene.theme
    target = layer.target
    fill(picture, left, top + 3, 4, 12, theme.accents[target.role])
    name = f"{mean.name} · {target.name}"
    draw_text(picture, name, left + 10, top, size=SMALL, colour=theme.text, width=width - 10)
    few = len(mean.steps) < FEW
    count = f"mean of {len(mean.steps)} map{'' if len(mean.steps) == 1 else 's'}"
    count += f"{' only' if few else ''}, of {mean.total} steps"
    colour = theme.warning if few else theme.muted
    draw_text(picture, count, left + 10, top + 17, size=SMALL, colour=colour, width=width - 10)
    heat = screen_heat(context, layer)
    screen = heat_on_screen(context, layer, heat)
    box = picture[top + _LABEL : top + _LABEL + height, left:]
    space = paste_fitted(box, screen, top=0, width=width, height=height)
    if heat is not None:
        draw_contours(space, heat, layer, theme)
