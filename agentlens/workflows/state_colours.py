"""Colours of a map's states, and the map as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentlens.drawing.pixels import canvas, fill
from agentlens.drawing.sheet import write_png
from agentlens.drawing.text import SMALL, TITLE, draw_text, text_width
from agentlens.drawing.theme import THEMES
from agentlens.viewer.state_map import Colouring, placed

_RAMP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Dark to light, so that more is lighter in grey print too."""

_LABELS = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (240, 228, 66),
    (0, 114, 178),
    (120, 120, 120),
)
"""Told apart by colour-blind readers (Okabe and Ito 2008)."""

_UNKNOWN = (150, 150, 150)
_PANEL, _HEADER, _MARGIN, _DOT, _LINE = 420, 56, 16, 5, 18
_TEXT = 14
"""From the left of a legend's dot to its words."""


def by_number(name: str, values: np.ndarray, note: str) -> Colouring:
    """Points coloured by a number: float [T], grey where it is NaN; the ramp spans all but the
    outermost hundredths."""
    known = np.isfinite(values)
    low, high = np.quantile(values[known], [0.01, 0.99]) if known.any() else (0.0, 1.0)
    share = np.clip((np.nan_to_num(values) - low) / max(high - low, 1e-12), 0, 1)
    colours = np.where(known[:, None], _ramp(share), _UNKNOWN)
    middle = (low + high) / 2
    words = (f"{low:.4g} or less", f"{middle:.4g}", f"{high:.4g} or more")
    shades = _ramp(np.array([0.0, 0.5, 1.0]))
    legend = [(_tuple(shade), text) for shade, text in zip(shades, words, strict=True)]
    if not known.all():
        legend.append((_UNKNOWN, "none"))
    return Colouring(
        name=name,
        colours=colours.astype(np.uint8),
        texts=[f"{v:.4g}" if np.isfinite(v) else "none" for v in values],
        legend=legend,
        note=note,
    )


def by_label(name: str, labels: np.ndarray, words: Sequence[str], note: str) -> Colouring:
    """Points coloured by one of some labels: int [T], an index into ``words``. More than eight
    labels share colours."""
    palette = np.array(_LABELS, np.uint8)
    present = np.unique(labels)
    places = {int(label): place for place, label in enumerate(present)}
    return Colouring(
        name=name,
        colours=palette[[places[int(label)] % len(palette) for label in labels]],
        texts=[words[int(label)] for label in labels],
        legend=[(_LABELS[places[int(x)] % len(_LABELS)], words[int(x)]) for x in present],
        note=note,
    )


def draw_map(
    points: np.ndarray, colourings: Sequence[Colouring], title: str, output: Path, *, force: bool
) -> None:
    """A map a colouring, side by side as a PNG.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: it cannot be written.
    """
    shown, theme = colourings, THEMES["light"]
    inside = placed(points, _PANEL, _MARGIN)
    width = len(shown) * (_PANEL + _MARGIN) + _MARGIN
    legends = [legend_places([words for _, words in c.legend], _PANEL) for c in shown]
    lines = 1 + max((y for legend in legends for _, y in legend), default=0) // _LINE
    height = _HEADER + _PANEL + 8 + lines * _LINE + _MARGIN
    picture = canvas((width, height), theme.background)
    draw_text(picture, title, _MARGIN, 8, size=TITLE, colour=theme.text, width=width - 2 * _MARGIN)
    for number, (colouring, legend) in enumerate(zip(shown, legends, strict=True)):
        left = _MARGIN + number * (_PANEL + _MARGIN)
        draw_text(picture, colouring.name, left, 34, size=SMALL, colour=theme.muted, width=_PANEL)
        fill(picture, left, _HEADER, _PANEL, _PANEL, theme.surface)
        panel = picture[_HEADER : _HEADER + _PANEL, left : left + _PANEL]
        for (x, y), colour in zip(inside, colouring.colours, strict=True):
            _dot(panel, x, y, colour)
        for (colour, words), (x, y) in zip(colouring.legend, legend, strict=True):
            _draw_entry(picture, colour, words, left + x, _HEADER + _PANEL + 8 + y)
    write_png(picture, output, force=force)


def legend_places(words: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Where the entries of a legend stand, x and y: side by side in lines of ``width`` pixels."""
    places, x, y = [], 0, 0
    for text in words:
        room = _TEXT + text_width(text, SMALL)
        if x and x + room > width:
            x, y = 0, y + _LINE
        places.append((x, y))
        x += room + _MARGIN
    return places


def _draw_entry(
    picture: np.ndarray, colour: tuple[int, int, int], words: str, left: int, top: int
) -> None:
    _dot(picture[top : top + _LINE], left + _DOT, 8, np.array(colour, np.uint8))
    theme, room = THEMES["light"], _PANEL - _TEXT
    draw_text(picture, words, left + _TEXT, top, size=SMALL, colour=theme.text, width=room)


def _dot(panel: np.ndarray, x: float, y: float, colour: np.ndarray) -> None:
    """A disc with a dark rim."""
    rows, columns = np.ogrid[: panel.shape[0], : panel.shape[1]]
    distance = np.square(rows - y) + np.square(columns - x)
    panel[distance <= _DOT**2] = colour // 2
    panel[distance <= (_DOT - 1) ** 2] = colour


def _ramp(share: np.ndarray) -> np.ndarray:
    stops = np.linspace(0, 1, len(_RAMP))
    channels = [np.interp(share, stops, [colour[c] for colour in _RAMP]) for c in range(3)]
    return np.asarray(np.rint(np.stack(channels, -1)))


def _tuple(colour: np.ndarray) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])
