"""Curves as strips: one above the other, with one time axis and one cursor.

Panels that show numbers over time draw them here.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from agentlens.drawing.context import Curve, FrameContext
from agentlens.drawing.pixels import canvas, fill, paste
from agentlens.drawing.text import SMALL, draw_text, line_height, number
from agentlens.drawing.theme import Colour

STRIP = 44
"""Pixels of a strip that is as high as it should be."""

MARGIN = 12
_NAMES, _ENDS, _GAP = 104, 44, 8
_SHARP = 3
"""Curves are drawn this much larger and averaged down."""
_FUTURE = 0.35
"""Strength of what is still to come."""


def draw_strips(
    size: tuple[int, int],
    curves: Sequence[Curve],
    context: FrameContext,
    room: tuple[int, int] = (_NAMES, _ENDS),
) -> np.ndarray:
    """Curves bright up to the present step: uint8 [height, width, 3].

    Args:
        size: (width, height) of the picture.
        curves: from the top.
        context: the present step.
        room: for the curves' names and for the numbers at their ends, pixels.
    """
    theme, (names, ends) = context.scene.theme, room
    picture = canvas(size, theme.surface)
    width, height = size
    plot_width = width - 2 * MARGIN - names - ends
    step = (height - 2 * MARGIN + _GAP) / max(1, len(curves))
    plot_height = int(step) - _GAP
    if plot_width < 8 or plot_height < 8:
        return picture
    x = round(context.frame / max(1, context.scene.frames - 1) * (plot_width - 1))
    for index, curve in enumerate(curves):
        top = MARGIN + round(index * step)
        _draw_strip(picture, context, curve, (x, top, names), (plot_width, plot_height))
    left = MARGIN + names + x
    column = picture[MARGIN : height - MARGIN, left]
    column[:] = (column * 0.3 + np.array(theme.text) * 0.7).astype(np.uint8)
    return picture


def _draw_strip(
    picture: np.ndarray,
    context: FrameContext,
    curve: Curve,
    place: tuple[int, int, int],
    size: tuple[int, int],
) -> None:
    """One strip; ``place``: the cursor, the top, and the room for the name."""
    (x, top, names), (width, height), theme = place, size, context.scene.theme
    colour = theme.accents[curve.role]
    left = MARGIN + names
    bright, faint = _plots(curve, width, height, (theme.surface, colour))
    paste(picture, faint, left, top)
    paste(picture, bright[:, : x + 1], left, top)
    fill(picture, left, top + height, width, 1, theme.line)
    low, high = _ends(curve)
    right = picture.shape[1] - MARGIN
    small = line_height(SMALL)
    draw_text(picture, number(high), right, top - 2, size=SMALL, colour=theme.muted, align="right")
    if height >= 2 * small - 6 and low != high:
        draw_text(
            picture,
            number(low),
            right,
            top + height - small + 3,
            size=SMALL,
            colour=theme.muted,
            align="right",
        )
    draw_text(picture, curve.name, MARGIN, top - 2, size=SMALL, colour=colour, width=names - 8)
    value = float(curve.values[context.frame])
    text = "none" if np.isnan(value) else f"{number(value)} {curve.unit}"
    draw_text(picture, text, MARGIN, top + 13, size=SMALL, colour=theme.text, width=names - 8)
    if not np.isnan(value):
        y = top + round(float(_heights(curve, np.array([value]))[0]) * (height - 1))
        fill(picture, left + x - 2, y - 2, 5, 5, colour)


def _ends(curve: Curve) -> tuple[float, float]:
    finite = curve.values[np.isfinite(curve.values)]
    if len(finite) == 0:
        return 0.0, 0.0
    low = 0.0 if curve.display == "sqrt" else float(finite.min())
    return low, float(finite.max())


def _heights(curve: Curve, values: np.ndarray) -> np.ndarray:
    """Distance from the strip's top, 0 to 1; a constant curve runs through the middle."""
    low, high = _ends(curve)
    if low == high:
        return np.where(np.isnan(values), np.nan, 0.5)
    part = (values - low) / (high - low)
    shown: np.ndarray = 1.0 - (np.sqrt(np.maximum(part, 0)) if curve.display == "sqrt" else part)
    return shown


@functools.lru_cache(maxsize=64)
def _plots(
    curve: Curve, width: int, height: int, colours: tuple[Colour, Colour]
) -> tuple[np.ndarray, np.ndarray]:
    """The whole curve as two pictures, bright and faint: drawn once a video."""
    large = (width * _SHARP, height * _SHARP)
    coverage = Image.new("L", large, 0)
    draw = ImageDraw.Draw(coverage)
    lows, highs, count = _columns(curve, width)
    places = (np.arange(count) / max(1, count - 1) * (width - 1) + 0.5) * _SHARP
    reach = (height - 1) * _SHARP
    tops, bottoms = highs * reach + _SHARP / 2, lows * reach + _SHARP / 2
    for index in range(count):
        if np.isnan(tops[index]):
            continue
        x = places[index]
        draw.line([(x, tops[index]), (x, bottoms[index])], fill=255, width=_SHARP)
        if index and not np.isnan(tops[index - 1]):
            before = (tops[index - 1] + bottoms[index - 1]) / 2
            here = (tops[index] + bottoms[index]) / 2
            draw.line([(places[index - 1], before), (x, here)], fill=255, width=_SHARP + 1)
    small = coverage.resize((width, height), Image.Resampling.BOX)
    alpha = np.asarray(small, np.float32)[..., None] / 255.0
    under, over = (np.array(colour, np.float32) for colour in colours)
    pair = [(under + s * alpha * (over - under) + 0.5).astype(np.uint8) for s in (1.0, _FUTURE)]
    return pair[0], pair[1]


def _columns(curve: Curve, width: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Lowest and highest point (as distances from the top) of each drawn place.

    A long curve gets one place a pixel, holding the extremes of all its values there, so that a
    single peak among thousands of steps is not lost.
    """
    heights = _heights(curve, curve.values.astype(np.float64))
    if len(heights) <= width:
        return heights, heights, len(heights)
    starts = np.arange(width) * len(heights) // width
    lows = np.fmax.reduceat(heights, starts)
    highs = np.fmin.reduceat(heights, starts)
    return lows, highs, width
