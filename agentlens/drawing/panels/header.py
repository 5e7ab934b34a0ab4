"""Who plays what under which rules, how it was explained, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.caption import clock
from agentlens.drawing.colour import BACKGROUND, LINE, MUTED
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fill
from agentlens.drawing.text import NORMAL, SMALL, TITLE, draw_text

HEIGHT = 54


@dataclass(frozen=True, kw_only=True)
class Header:
    """Two lines over the whole width: agent and score, protocol and method."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Header, ...]:
        """One panel."""
        return (cls(size=(width, HEIGHT)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The header of this step."""
        picture = canvas(self.size, BACKGROUND)
        width, height = self.size
        standing = (
            f"score {context.total_reward:g}    step {context.step}    {clock(context.seconds)}"
        )
        used = draw_text(picture, standing, width, 5, size=NORMAL, align="right")
        scene = context.scene
        draw_text(picture, scene.title, 0, 0, size=TITLE, width=max(0, width - used - 24))
        half = (width - 24) // 2
        used = draw_text(
            picture, scene.method, width, 28, size=SMALL, colour=MUTED, align="right", width=half
        )
        draw_text(picture, scene.facts, 0, 28, size=SMALL, colour=MUTED, width=width - used - 24)
        fill(picture, 0, height - 8, width, 1, LINE)
        return picture


PANEL = Header
