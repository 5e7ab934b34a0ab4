"""The sentence on a step: what the agent did, and what it did it for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas
from agentlens.drawing.text import NORMAL, draw_text, line_height, text_width

_MARGIN = 12
_LINES = 7


@dataclass(frozen=True, kw_only=True)
class Caption:
    """The sentence that ``agentlens describe`` wrote, broken into lines."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Caption, ...]:
        """One panel where the recording has sentences."""
        if not scene.has_captions:
            return ()
        return (cls(size=(width, 2 * _MARGIN + _LINES * line_height(NORMAL))),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The sentence of this step."""
        theme = context.scene.theme
        picture = canvas(self.size, theme.surface)
        width, height = self.size
        text = context.caption or "not described"
        colour = theme.text if context.caption else theme.muted
        step, top = line_height(NORMAL), _MARGIN
        room = max(1, (height - 2 * _MARGIN) // step)
        lines = wrapped(text, width - 2 * _MARGIN)
        if len(lines) > room:
            lines = [*lines[: room - 1], " ".join(lines[room - 1 :])]
        for line in lines:
            draw_text(picture, line, _MARGIN, top, colour=colour, width=max(1, width - 2 * _MARGIN))
            top += step
        return picture


def wrapped(text: str, width: int) -> list[str]:
    """Words in lines no wider than ``width`` pixels; a word that is wider has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, NORMAL) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


PANEL = Caption
