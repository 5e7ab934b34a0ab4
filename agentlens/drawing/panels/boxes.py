"""The game with a box around every object; those that a sentence cites stand out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, ObjectBox, Scene
from agentlens.drawing.pixels import canvas, fill, fitted_size, paste_fitted
from agentlens.drawing.text import SMALL, draw_text, line_height
from agentlens.drawing.theme import Colour

_TITLE_HEIGHT = 24
_MARGIN_PX = 1


@dataclass(frozen=True, kw_only=True)
class BoxedGame:
    """The native screen, enlarged by a whole factor, with the boxes that ``agentlens objects``
    wrote."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[BoxedGame, ...]:
        """One panel where the recording has boxes."""
        if not scene.has_boxes:
            return ()
        height, _ = fitted_size(scene.screen_shape, width, 10_000)
        return (cls(size=(width, height + _TITLE_HEIGHT)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The screen of this step and its boxes."""
        theme = context.scene.theme
        picture = canvas(self.size, theme.background)
        width, height = self.size
        used = draw_text(picture, "objects", 0, 0, colour=theme.text)
        note = "thick: cited" if any(box.cited for box in context.boxes) else ""
        draw_text(
            picture,
            note,
            width,
            2,
            size=SMALL,
            colour=theme.muted,
            align="right",
            width=max(0, width - used - 12),
        )
        part = paste_fitted(
            picture,
            context.screen,
            top=_TITLE_HEIGHT,
            width=width,
            height=max(1, height - _TITLE_HEIGHT),
        )
        factor = part.shape[0] / context.screen.shape[0]
        for box in sorted(context.boxes, key=lambda box: box.cited):
            colour = theme.accents["actor"] if box.cited else theme.muted
            _outline(part, box, factor, colour, theme.edge)
        return picture


def _outline(
    picture: np.ndarray, box: ObjectBox, factor: float, colour: Colour, edge: Colour
) -> None:
    """A frame around a box, edged so that it shows on any screen; its name where that is cited."""
    thick = 2 if box.cited else 1
    left, right = round((box.left - _MARGIN_PX) * factor), round((box.right + _MARGIN_PX) * factor)
    top, bottom = round((box.top - _MARGIN_PX) * factor), round((box.bottom + _MARGIN_PX) * factor)
    width, height = right - left, bottom - top
    _ring(picture, (left - 1, top - 1, width + 2, height + 2), 1, edge)
    _ring(picture, (left, top, width, height), thick, colour)
    if not box.cited:
        return
    above = top - line_height(SMALL)
    place = above if above >= 0 else bottom
    if right > picture.shape[1] // 2:
        draw_text(picture, box.name, right, place, size=SMALL, colour=colour, align="right")
    else:
        draw_text(picture, box.name, left, place, size=SMALL, colour=colour)


def _ring(
    picture: np.ndarray, place: tuple[int, int, int, int], thick: int, colour: Colour
) -> None:
    """The edge of a rectangle (left, top, width, height), inwards."""
    left, top, width, height = place
    fill(picture, left, top, width, thick, colour)
    fill(picture, left, top + height - thick, width, thick, colour)
    fill(picture, left, top, thick, height, colour)
    fill(picture, left + width - thick, top, thick, height, colour)


PANEL = BoxedGame
