"""Numbers from inside the agent over the whole video, with one cursor at the present step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import Curve, FrameContext, Scene
from agentlens.drawing.pixels import canvas, paste
from agentlens.drawing.strips import MARGIN, STRIP, draw_strips
from agentlens.drawing.text import SMALL, draw_text, line_height, text_width

MOST = 8
"""Strips; of more numbers the first are drawn, in the order of their tables' names."""

_NAMES, _ENDS = 150, 64


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What ``agentlens concepts`` and ``agentlens excite`` wrote of each step, a strip a number.

    Beyond ``MOST`` a line below says how many are left out, and which.
    """

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Numbers, ...]:
        """One panel with 44 pixels a number, where there are any."""
        if not scene.numbers:
            return ()
        height = 2 * MARGIN + STRIP * len(scene.numbers[:MOST])
        below = line_height(SMALL) if len(scene.numbers) > MOST else 0
        return (cls(size=(width, height + below)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The numbers, bright up to this step."""
        (width, height), theme = self.size, context.scene.theme
        curves, others = context.scene.numbers[:MOST], context.scene.numbers[MOST:]
        longest = max((text_width(curve.name, SMALL) for curve in curves), default=0)
        room = (max(_NAMES, min(longest + MARGIN, width // 2)), _ENDS)
        below = line_height(SMALL) if others else 0
        if not 0 < below < height // 2:
            return draw_strips(self.size, curves, context, room)
        picture = canvas(self.size, theme.surface)
        paste(picture, draw_strips((width, height - below), curves, context, room), 0, 0)
        top, inside = height - below - MARGIN // 2, width - 2 * MARGIN
        line = left_out(others)
        draw_text(picture, line, MARGIN, top, size=SMALL, colour=theme.muted, width=inside)
        return picture


def left_out(curves: tuple[Curve, ...]) -> str:
    """What the line below says of numbers that are not drawn."""
    return f"{len(curves)} more not drawn: {', '.join(curve.name for curve in curves)}"


PANEL = Numbers
