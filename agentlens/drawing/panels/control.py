"""What no agent is needed for: a map that follows it says little about the agent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.heat import heat_on_screen, screen_heat
from agentlens.drawing.pixels import canvas, fill, filled, paste
from agentlens.drawing.text import NORMAL, SMALL, draw_text, number, text_width, wrapped

SMALLEST = 96
"""Height below which nothing can be seen on it."""
_MARGIN, _TITLE_HEIGHT = 12, 28


@dataclass(frozen=True, kw_only=True)
class Control:
    """The agent-free control of this step, small, with its unit and what it means beside it."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Control, ...]:
        """One panel where the maps have a control that is not drawn large."""
        return () if scene.control is None else (cls(size=(width, 2 * SMALLEST)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The control's heat on the screen."""
        scene, theme = context.scene, context.scene.theme
        picture = canvas(self.size, theme.surface)
        width, height = self.size
        if scene.control is None:
            return picture
        target = scene.control.target
        fill(picture, _MARGIN, 11, 4, 12, theme.accents["control"])
        left = _MARGIN + 12
        room = max(0, width - left - _MARGIN)
        title = f"control · {target.name}"
        title = title if text_width(title, NORMAL) <= room else "control"
        draw_text(picture, title, left, 7, colour=theme.text, width=room)
        box = width - 2 * _MARGIN, height - _TITLE_HEIGHT - _MARGIN
        if min(box) < 4:
            return picture
        heat = screen_heat(context, scene.control)
        screen = filled(heat_on_screen(context, scene.control, heat), *box)
        paste(picture, screen, _MARGIN, _TITLE_HEIGHT)
        self._write_beside(picture, context, _MARGIN + screen.shape[1] + _MARGIN)
        return picture

    def _write_beside(self, picture: np.ndarray, context: FrameContext, left: int) -> None:
        layer, theme = context.scene.control, context.scene.theme
        assert layer is not None, "checked by the caller"
        room = self.size[0] - left - _MARGIN
        if room < 60:
            return
        sentence = layer.target.meaning[:1].upper() + layer.target.meaning[1:]
        full = f"full at {number(layer.scale.limit)} {layer.target.unit}"
        lines = [*wrapped(sentence, SMALL, room), full]
        for index, line in enumerate(lines):
            top = _TITLE_HEIGHT + 17 * index
            if top + 17 > self.size[1]:
                return
            colour = theme.text if line == full else theme.muted
            draw_text(picture, line, left, top, size=SMALL, colour=colour, width=room)


PANEL = Control
