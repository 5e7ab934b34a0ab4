"""A contact sheet: some steps of a film on one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from agentlens.drawing import caption
from agentlens.drawing.context import FrameContext, Layer
from agentlens.drawing.draw import Draw
from agentlens.drawing.files import published
from agentlens.drawing.film import Film
from agentlens.drawing.heat import draw_contours, heat_on_screen, screen_heat
from agentlens.drawing.panels import colour_bar
from agentlens.drawing.pixels import canvas, paste, paste_fitted
from agentlens.drawing.text import SMALL, TITLE, draw_text
from agentlens.progress import Progress, silent

SHEET_STEPS = 12
_COLUMNS = 4
_MARGIN, _GAP, _INSIDE, _HEADER, _LABEL, _WIDEST_BAR = 16, 16, 4, 56, 20, 640


def write_sheet(
    film: Film, draw: Draw, output: Path, *, force: bool = False, progress: Progress = silent
) -> None:
    """Draw up to twelve steps, evenly spread over the film: a header, then the game beside the
    heat of the first target for each step, then one colour bar for all.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: the disk is full, failing or read-only.
    """
    write_png(draw_sheet(film, draw, progress=progress), output, force=force)


def draw_sheet(
    film: Film, draw: Draw, *, most: int = SHEET_STEPS, progress: Progress = silent
) -> np.ndarray:
    """The contact sheet of up to ``most`` steps: uint8 [height, width, 3]."""
    count, scene = min(most, len(film)), film.scene
    frames = np.unique(np.linspace(0, len(film) - 1, count).round().astype(int)).tolist()
    theme, layer = scene.theme, scene.layers[0] if scene.layers else None
    cell = [size * max(1, (draw.scale + 1) // 2) for size in scene.screen_shape]
    pair = cell[1] * (1 if layer is None else 2) + (0 if layer is None else _INSIDE)
    rows = -(-len(frames) // _COLUMNS)
    columns = -(-len(frames) // rows)
    width = 2 * _MARGIN + columns * (pair + _GAP) - _GAP
    pitch = cell[0] + _LABEL + _GAP
    top = _MARGIN + _HEADER
    bar = 0 if layer is None else colour_bar.HEIGHT
    sheet = canvas((width, top + rows * pitch + bar + _MARGIN), theme.background)
    _draw_header(sheet, film, frames)
    for place, context in enumerate(film.contexts(frames)):
        row, column = divmod(place, columns)
        left, upper = _MARGIN + column * (pair + _GAP), top + row * pitch
        _draw_pair(sheet, context, layer, (left, upper), (cell[0], cell[1]))
        progress(place + 1, len(frames))
    if layer is not None:
        size = min(width - 2 * _MARGIN, _WIDEST_BAR), bar
        panel = colour_bar.ColourBar(size=size, target=layer.target.name)
        paste(sheet, panel.draw(film.context(0)), _MARGIN, top + rows * pitch)
    return sheet


def _draw_header(sheet: np.ndarray, film: Film, frames: list[int]) -> None:
    scene, theme, room = film.scene, film.scene.theme, sheet.shape[1] - 2 * _MARGIN
    span = f"steps {film.steps[frames[0]]} to {film.steps[frames[-1]]}"
    draw_text(sheet, scene.title, _MARGIN, _MARGIN, size=TITLE, colour=theme.text, width=room)
    target = f"{scene.layers[0].target.role}: {scene.layers[0].target.name}" if scene.layers else ""
    line = caption.joined(*(part for part in (span, target, scene.method, scene.facts) if part))
    top = _MARGIN + 28
    draw_text(sheet, line, _MARGIN, top, size=SMALL, colour=theme.muted, width=room)


def _draw_pair(
    sheet: np.ndarray,
    context: FrameContext,
    layer: Layer | None,
    corner: tuple[int, int],
    cell: tuple[int, int],
) -> None:
    """The game of one step, the heat beside it, and a line above them."""
    (left, top), (height, width) = corner, cell
    theme, names = context.scene.theme, context.scene.choices.names
    label = f"step {context.step} · {names[context.taken]}"
    draw_text(sheet, label, left, top, size=SMALL, colour=theme.text, width=2 * width)
    box = sheet[top + _LABEL : top + _LABEL + height]
    paste_fitted(box[:, left:], context.screen, top=0, width=width, height=height)
    if layer is None:
        return
    heat = screen_heat(context, layer)
    picture = heat_on_screen(context, layer, heat)
    beside = box[:, left + width + _INSIDE :]
    space = paste_fitted(beside, picture, top=0, width=width, height=height)
    if heat is not None:
        draw_contours(space, heat, layer, theme)


def write_png(picture: np.ndarray, output: Path, *, force: bool = False) -> None:
    """Write uint8 [height, width, 3] as a png, whole or not at all.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: the disk is full, failing or read-only.
    """
    with published(output, force) as finished:
        Image.fromarray(picture).save(finished, format="PNG")
