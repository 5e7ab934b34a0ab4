"""Who plays what under which rules, how it was explained, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from agentlens.drawing.caption import clock
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fill
from agentlens.drawing.text import SMALL, TITLE, draw_text, shortened, shortened_facts

HEIGHT = 54


@dataclass(frozen=True, kw_only=True)
class Header:
    """Two lines over the whole width: agent, badges and score, protocol and method."""

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
        title = draw_text(picture, scene.title, 0, 0, size=TITLE, colour=theme.text, width=room)
        _draw_badges(picture, scene, width - used - 24, room - title - 24)
        line = partial(draw_text, picture, size=SMALL, colour=theme.muted)
        method = shortened_facts(scene.method, SMALL, (width - 24) // 2)
        used = line(method, width, 28, align="right")
        line(shortened_facts(scene.facts, SMALL, width - used - 24), 0, 28)
        fill(picture, 0, height - 8, width, 1, theme.line)
        return picture


def _draw_badges(picture: np.ndarray, scene: Scene, right: int, room: int) -> None:
    """Write the badges' verdicts, or their tally, where there is room for either."""
    if scene.badges is None:
        return
    for text in (scene.badges.verdicts, scene.badges.tally):
        if shortened(text, SMALL, max(room, 0)) == text:
            draw_text(picture, text, right, 7, size=SMALL, colour=scene.theme.muted, align="right")
            return


PANEL = Header
