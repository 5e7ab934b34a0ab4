"""The game as it was, untouched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.colour import BACKGROUND, MUTED
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fitted_size, paste_fitted
from agentlens.drawing.text import NORMAL, SMALL, draw_text

TITLE_HEIGHT = 24


@dataclass(frozen=True, kw_only=True)
class Game:
    """The native screen, enlarged by a whole factor, under a title."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Game, ...]:
        """One panel, as high as its screen needs."""
        height, _ = fitted_size(scene.screen_shape, width, 10_000)
        return (cls(size=(width, height + TITLE_HEIGHT)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The screen of this step."""
        picture = canvas(self.size, BACKGROUND)
        width, height = self.size
        draw_text(picture, "game", 0, 0, size=NORMAL)
        lives = f"{context.lives} lives" if context.lives else ""
        draw_text(picture, lives, width, 2, size=SMALL, colour=MUTED, align="right")
        paste_fitted(
            picture,
            context.screen,
            top=TITLE_HEIGHT,
            width=width,
            height=max(1, height - TITLE_HEIGHT),
        )
        return picture


PANEL = Game
