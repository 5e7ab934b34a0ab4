"""What the heat's colours mean: the ramp with numbers, unit and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Layer, Scene
from agentlens.drawing.heat import scale_bar
from agentlens.drawing.pixels import canvas, paste
from agentlens.drawing.text import SMALL, draw_text, number, text_width
from agentlens.drawing.theme import Colour

HEIGHT = 44
_BAR_TOP, _BAR_HEIGHT = 1, 10
_APART = 8


@dataclass(frozen=True, kw_only=True)
class ColourBar:
    """The scale of one target, the same in every frame of the video."""

    size: tuple[int, int]
    target: str

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[ColourBar, ...]:
        """One bar a drawn target."""
        return tuple(cls(size=(width, HEIGHT), target=layer.target.name) for layer in scene.layers)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The bar, its numbers, the unit and what a large value means."""
        theme = context.scene.theme
        picture = canvas(self.size, theme.background)
        width = self.size[0]
        layer = context.scene.layer(self.target)
        target, scale = layer.target, layer.scale
        paste(picture, scale_bar(layer, theme, width, _BAR_HEIGHT), 0, _BAR_TOP)
        below = _BAR_TOP + _BAR_HEIGHT + 2
        if scale.limit == 0.0:
            draw_text(
                picture,
                "nothing above rounding",
                0,
                below,
                size=SMALL,
                colour=theme.text,
                width=width,
            )
        if scale.limit:
            _write_ticks(picture, layer, below, theme.text)
        sentence = target.meaning[:1].upper() + target.meaning[1:]
        draw_text(picture, sentence, 0, below + 15, size=SMALL, colour=theme.muted, width=width)
        return picture


def _write_ticks(picture: np.ndarray, layer: Layer, top: int, colour: Colour) -> None:
    """The ends of the scale, the upper one with its unit, and the middle where there is room."""
    width = picture.shape[1]
    (_, first), *between, (_, last) = layer.scale.ticks()
    left = f"{number(first)} and less" if layer.target.signed else number(first)
    right = f"{number(last)} {layer.target.unit} and more"
    if text_width(left, SMALL) + _APART + text_width(right, SMALL) > width:
        left, right = number(first), f"{number(last)} {layer.target.unit}"
    used = text_width(left, SMALL) + _APART
    draw_text(picture, left, 0, top, size=SMALL, colour=colour)
    draw_text(
        picture, right, width, top, size=SMALL, colour=colour, align="right", width=width - used
    )
    free = width - text_width(right, SMALL) - _APART
    for place, value in between:
        low = -1.0 if layer.target.signed else 0.0
        x, half = round((place - low) / (1.0 - low) * width), text_width(number(value), SMALL) / 2
        if used <= x - half and x + half <= free:
            draw_text(picture, number(value), x, top, size=SMALL, colour=colour, align="centre")


PANEL = ColourBar
