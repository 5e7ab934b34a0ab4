"""A step as a figure for print, by matplotlib (imported only when such a figure is asked for)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agentlens.drawing.context import FrameContext, Layer
from agentlens.drawing.heat import LEVELS, contour_colours, heat_on_screen, scale_bar, screen_heat
from agentlens.drawing.text import number

_STYLE = {"svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 7, "svg.hashsalt": "agentlens"}
_CM = 1 / 2.54
"""A centimetre in inches."""
_BARS = 0.85
"""Width of the action bars, in screens."""
_HEAD, _FOOT, _BAR, _GAP = 1.15, 1.15, 0.22, 0.3
"""Centimetres above the screens, below them, of a colour bar, and between columns."""
_LETTER, _SMALL_LETTER = 0.118, 0.125
"""Mean width of a letter of the method's line and, capital, of an action's name, in
centimetres."""


def draw_figure(context: FrameContext, path: Path, width_cm: float) -> None:
    """Write the game, the heat of each target with its colour bar, and the action bars, in a row.

    Args:
        context: the step.
        path: pdf or svg; text stays text, pixels stay sharp.
        width_cm: of the figure; its height follows.
    """
    scene = context.scene
    screens = 1 + len(scene.layers)
    column = (width_cm - (screens + 2) * _GAP) / (screens + _BARS)
    tall = column * scene.screen_shape[0] / scene.screen_shape[1]
    size = width_cm, _HEAD + tall + _FOOT
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(size[0] * _CM, size[1] * _CM))
        lefts = [_GAP + place * (column + _GAP) for place in range(screens + 1)]
        game = _axes(figure, size, (lefts[0], _FOOT, column, tall))
        _show(game, context.screen, "game")
        standing = f"step {context.step}, score {context.total_reward:g}"
        game.text(0.0, -0.02, standing, transform=game.transAxes, va="top", fontsize=6)
        for left, layer in zip(lefts[1:], scene.layers, strict=False):
            _draw_heat(_axes(figure, size, (left, _FOOT, column, tall)), context, layer)
            bar = _axes(figure, size, (left, _FOOT - 0.15 - _BAR, column, _BAR))
            _draw_colour_bar(bar, context, layer, column)
        bars = _axes(figure, size, (lefts[-1], _FOOT, _BARS * column, tall))
        _draw_bars(bars, context, _BARS * column)
        _write_head(figure, context, size)
        metadata = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None}
        figure.savefig(path, metadata=metadata)


def _axes(figure: Figure, size: tuple[float, float], box: tuple[float, float, float, float]) -> Any:
    """Axes at a box (left, bottom, width, height) in centimetres."""
    (width, height), (left, bottom, across, up) = size, box
    return figure.add_axes((left / width, bottom / height, across / width, up / height))


def _write_head(figure: Figure, context: FrameContext, size: tuple[float, float]) -> None:
    scene, (width, height) = context.scene, size
    left = _GAP / width
    figure.text(left, 1 - 0.1 / height, scene.title, va="top", fontsize=8, fontweight="bold")
    line = textwrap.shorten(scene.method, max(20, int((width - 2 * _GAP) / _LETTER)))
    figure.text(left, 1 - 0.47 / height, _superscripts(line), va="top", fontsize=6)


def _show(axes: Any, picture: np.ndarray, title: str) -> None:
    rows, columns = picture.shape[:2]
    axes.imshow(picture, interpolation="nearest", extent=(0, columns, rows, 0), aspect="auto")
    axes.set_title(title, fontsize=7, pad=2, loc="left")
    axes.set_axis_off()


def _draw_heat(axes: Any, context: FrameContext, layer: Layer) -> None:
    heat = screen_heat(context, layer)
    picture = heat_on_screen(context, layer, heat)
    _show(axes, picture, f"{layer.target.role}: {layer.target.name}")
    if heat is None:
        axes.text(0.5, 0.5, "no map of this step", transform=axes.transAxes, ha="center")
        return
    size = np.abs(heat)
    colours = contour_colours(layer, context.scene.theme) / 255
    rows, columns = (np.arange(n) + 0.5 for n in heat.shape)
    for level, colour in zip(LEVELS, colours, strict=True):
        if size.min() < level < size.max():
            axes.contour(columns, rows, size, levels=[level], colors=[colour], linewidths=0.6)


def _draw_colour_bar(axes: Any, context: FrameContext, layer: Layer, width_cm: float) -> None:
    target = layer.target
    low = -1.0 if target.signed else 0.0
    bar = scale_bar(layer, context.scene.theme, 512, 1)
    axes.imshow(bar, aspect="auto", extent=(low, 1.0, 0.0, 1.0))
    ticks = layer.scale.ticks() if layer.scale.limit else ()
    labels = [((place - low) / (1 - low), number(value)) for place, value in ticks]
    kept = fitting_labels(labels, width_cm / _SMALL_LETTER)
    axes.set_xticks([ticks[index][0] for index in kept], [labels[index][1] for index in kept])
    for label in axes.get_xticklabels()[:1]:
        label.set_horizontalalignment("left")
    for label in axes.get_xticklabels()[1:][-1:]:
        label.set_horizontalalignment("right")
    axes.tick_params(length=1.5, width=0.4, pad=1, labelsize=5.5)
    axes.spines[:].set_linewidth(0.4)
    axes.set_yticks([])
    axes.set_xlabel(_superscripts(target.unit), fontsize=6, labelpad=1)


def fitting_labels(labels: Sequence[tuple[float, str]], letters: float) -> list[int]:
    """Which labels of a colour bar stand beside each other without touching: both ends, then the
    middle, then what is left.

    Args:
        labels: (place from 0 to 1, text), from left to right; the first begins at its place, the
            last ends there, the others are centred.
        letters: how many letters the bar is wide.
    """
    last, kept = len(labels) - 1, dict[int, tuple[float, float]]()
    for index in dict.fromkeys([0, last, last // 2, *range(len(labels))] if labels else []):
        (place, text), shift = labels[index], 0.0 if index == 0 else 1.0 if index == last else 0.5
        start = place * letters - shift * len(text)
        span = (start - 0.5, start + len(text) + 0.5)
        if all(span[1] <= other[0] or span[0] >= other[1] for other in kept.values()):
            kept[index] = span
    return sorted(kept)


def _draw_bars(axes: Any, context: FrameContext, width_cm: float) -> None:
    """A bar an action under its name, which so has the whole width."""
    choices, theme = context.scene.choices, context.scene.theme
    taken, other = (np.array(c) / 255 for c in (theme.accents["actor"], theme.bar))
    places, end = np.arange(len(choices.names)), choices.high + 0.3 * (choices.high - choices.low)
    values = context.row_values
    colours = [taken if row == context.taken else other for row in places]
    axes.barh(places, values - choices.low, left=choices.low, height=0.28, color=colours)
    for row, name in enumerate(choices.names):
        weight = "bold" if row == context.taken else "normal"
        short = name if len(name) * _SMALL_LETTER <= width_cm else name.split(" / ")[0] + " …"
        axes.text(choices.low, row - 0.2, short, va="bottom", fontsize=5.5, fontweight=weight)
        amount = f"{values[row]:.2f}" if choices.kind == "probability" else number(values[row])
        axes.text(end, row, amount, va="center", ha="right", fontsize=5.5)
    axes.set_ylim(max(len(places), 5) - 0.5, -0.6)
    axes.set_xlim(choices.low, end)
    axes.set_xticks([choices.low, choices.high], [number(choices.low), number(choices.high)])
    axes.set_yticks([])
    axes.set_title(
        {"probability": "action probability", "q_value": "Q-value"}[choices.kind]
        if width_cm > 2.2
        else "actions",
        fontsize=7,
        pad=2,
        loc="left",
    )
    axes.tick_params(length=1.5, width=0.4, pad=1, labelsize=5.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines[:].set_linewidth(0.4)


def _superscripts(text: str) -> str:
    """ "value^2" with its exponent raised."""
    return re.sub(r"\^(\d+)", r"$^{\1}$", text)
