"""Who plays what under which rules, how it was explained, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from agentlens.drawing.caption import clock
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fill
from agentlens.drawing.text import SMALL, TITLE, draw_text

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
        scene, theme = context.scene, context.scene.theme
        picture = canvas(self.size, theme.background)
        width, height = self.size
        standing = (
            f"score {context.total_reward:g}    step {context.step}    {clock(context.seconds)}"
        )
        used = draw_text(picture, standing, width, 5, colour=theme.text, align="right")
        room = max(0, width - used - 24)
        draw_text(picture, scene.title, 0, 0, size=TITLE, colour=theme.text, width=room)
        line = partial(draw_text, picture, size=SMALL, colour=theme.muted)
        used = line(scene.method, width, 28, align="right", width=(width - 24) // 2)
        line(scene.facts, 0, 28, width=width - used - 24)
        fill(picture, 0, height - 8, width, 1, theme.line)
        return picture


PANEL = Header
