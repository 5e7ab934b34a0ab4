"""A step as a figure for print, by matplotlib (imported only when such a figure is asked for)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from agentlens.drawing.colour import BAR_GREY, ramp
from agentlens.drawing.context import FrameContext, Layer
from agentlens.drawing.heat import heat_on_screen, newest_plane
from agentlens.drawing.text import number

_STYLE = {"svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 8, "svg.hashsalt": "agentlens"}
_WIDTH = 2.2
"""Inches of one screen."""


def draw_figure(context: FrameContext, path: Path) -> None:
    """Write the game, the heat of each target with its colour bar, and the action bars.

    Args:
        context: the step.
        path: pdf or svg; text stays text, pixels stay sharp.
    """
    scene = context.scene
    count = 1 + len(scene.layers)
    with mpl.rc_context(_STYLE):
        height = _WIDTH * scene.screen_shape[0] / scene.screen_shape[1]
        bars = 0.18 * len(scene.choices.names) + 0.5
        figure = Figure(figsize=(_WIDTH * count + 0.4, height + bars + 0.9), layout="constrained")
        axes: Any = figure.subplots(3, count, squeeze=False, height_ratios=(height, 0.12, bars))
        _show(axes[0, 0], context.screen, "game")
        axes[1, 0].set_axis_off()
        _draw_bars(axes[2, 0], context)
        for column, layer in enumerate(scene.layers, start=1):
            values = context.maps.get(layer.target.name)
            newest = None if values is None else values[newest_plane(scene)]
            picture = heat_on_screen(scene, layer, context.screen, newest)
            _show(axes[0, column], picture, f"{layer.target.role}: {layer.target.name}")
            _draw_colour_bar(axes[1, column], layer)
            axes[2, column].set_axis_off()
        figure.suptitle(f"{scene.title}, step {context.step}\n{scene.method}", fontsize=8)
        metadata = {"Date": None} if path.suffix == ".svg" else {"CreationDate": None}
        figure.savefig(path, metadata=metadata)


def _show(axes: Any, picture: np.ndarray, title: str) -> None:
    axes.imshow(picture, interpolation="nearest")
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def _draw_colour_bar(axes: Any, layer: Layer) -> None:
    target = layer.target
    low = -1.0 if target.signed else 0.0
    heat = np.linspace(low, 1.0, 256, dtype=np.float32)[None]
    bar = ramp(target.role, target.signed).blend(np.full((1, 256), BAR_GREY, np.uint8), heat)
    axes.imshow(bar, aspect="auto", extent=(low, 1.0, 0.0, 1.0))
    ticks = layer.scale.ticks()
    axes.set_xticks([place for place, _ in ticks], [number(value) for _, value in ticks])
    axes.set_yticks([])
    axes.set_xlabel(target.unit)


def _draw_bars(axes: Any, context: FrameContext) -> None:
    choices = context.scene.choices
    colours = ["0.7"] * len(choices.names)
    colours[context.taken] = "tab:orange"
    places = range(len(choices.names))
    axes.barh(places, context.row_values - choices.low, left=choices.low, color=colours)
    axes.set_yticks(places, choices.names)
    axes.invert_yaxis()
    axes.set_xlim(choices.low, choices.high)
    axes.set_xlabel(choices.kind.replace("_", "-"))
    axes.spines[["top", "right"]].set_visible(False)
