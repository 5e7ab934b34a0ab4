"""The game as it was; pooled where the agent sees two screens at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fitted_size, paste_fitted
from agentlens.drawing.text import DOT, SMALL, draw_text

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
        theme = context.scene.theme
        picture = canvas(self.size, theme.background)
        width, height = self.size
        used = draw_text(picture, "game", 0, 0, colour=theme.text)
        facts = [f"{context.lives} lives"] if context.lives else []
        facts += ["two screens pooled"] if context.scene.pooled else []
        draw_text(
            picture,
            DOT.join(facts),
            width,
            2,
            size=SMALL,
            colour=theme.muted,
            align="right",
            width=max(0, width - used - 12),
        )
        paste_fitted(
            picture,
            context.screen,
            top=TITLE_HEIGHT,
            width=width,
            height=max(1, height - TITLE_HEIGHT),
        )
        return picture


PANEL = Game
