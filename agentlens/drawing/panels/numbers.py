"""Numbers from inside the agent over the whole video, with one cursor at the present step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.strips import MARGIN, STRIP, draw_strips

MOST = 8
"""Strips; of more numbers the first are drawn, in the order of their tables' names."""

_ROOM = (150, 64)


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What ``agentlens concepts`` and ``agentlens excite`` wrote of each step, a strip a number."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Numbers, ...]:
        """One panel with 44 pixels a number, where there are any."""
        if not scene.numbers:
            return ()
        return (cls(size=(width, 2 * MARGIN + STRIP * len(scene.numbers[:MOST]))),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The numbers, bright up to this step."""
        return draw_strips(self.size, context.scene.numbers[:MOST], context, _ROOM)


PANEL = Numbers
