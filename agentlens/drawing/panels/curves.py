"""Value, score and map magnitude over the whole video, with one cursor at the present step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.strips import MARGIN, STRIP, draw_strips


@dataclass(frozen=True, kw_only=True)
class Curves:
    """One strip a curve, all with the same time axis and the same cursor."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Curves, ...]:
        """One panel with 44 pixels a curve."""
        return (cls(size=(width, 2 * MARGIN + STRIP * len(scene.curves))),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The curves, bright up to this step."""
        return draw_strips(self.size, context.scene.curves, context)


PANEL = Curves
