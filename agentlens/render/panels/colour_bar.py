"""What the heat's colours mean: the ramp with numbers, unit and one sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.render.colour import BACKGROUND, BAR_GREY, MUTED, TEXT, ramp
from agentlens.render.context import FrameContext, Layer, Scene
from agentlens.render.pixels import canvas, paste
from agentlens.render.text import SMALL, draw_text, number

HEIGHT = 44
_BAR_TOP, _BAR_HEIGHT = 1, 10
_ROOM_FOR_MIDDLE = 320


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
        picture = canvas(self.size, BACKGROUND)
        width = self.size[0]
        layer = context.scene.layer(self.target)
        target, scale = layer.target, layer.scale
        heat = np.linspace(-1.0 if target.signed else 0.0, 1.0, width, dtype=np.float32)
        under = np.full((_BAR_HEIGHT, width), BAR_GREY, np.uint8)
        bar = ramp(target.role, target.signed).blend(under, np.tile(heat, (_BAR_HEIGHT, 1)))
        paste(picture, bar, 0, _BAR_TOP)
        below = _BAR_TOP + _BAR_HEIGHT + 2
        if scale.limit == 0.0:
            draw_text(picture, "nothing above rounding", 0, below, size=SMALL, width=width)
        for place, value in scale.ticks() if scale.limit else ():
            if place in (heat[0], 1.0) or width >= _ROOM_FOR_MIDDLE:
                _write_tick(picture, place, value, layer, below)
        sentence = target.meaning[:1].upper() + target.meaning[1:]
        draw_text(picture, sentence, 0, below + 15, size=SMALL, colour=MUTED, width=width)
        return picture


def _write_tick(picture: np.ndarray, place: float, value: float, layer: Layer, top: int) -> None:
    width = picture.shape[1]
    low = -1.0 if layer.target.signed else 0.0
    x = round((place - low) / (1.0 - low) * width)
    if place == 1.0:
        text = f"{number(value)} {layer.target.unit} and more"
        draw_text(picture, text, width, top, size=SMALL, colour=TEXT, align="right")
    elif place == low:
        text = f"{number(value)} and less" if layer.target.signed else number(value)
        draw_text(picture, text, 0, top, size=SMALL, colour=TEXT)
    else:
        draw_text(picture, number(value), x, top, size=SMALL, colour=TEXT, align="centre")


PANEL = ColourBar
