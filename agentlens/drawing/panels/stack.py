"""The planes of the frame stack as the network gets them, each with its own map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.heat import draw_contours, heat_on_plane, plane_heat
from agentlens.drawing.pixels import canvas, fill, filled, paste
from agentlens.drawing.text import SMALL, draw_text, text_width

_MARGIN, _GAP, _TITLE_HEIGHT, _LABEL_HEIGHT = 12, 8, 28, 22


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The observation's planes, oldest first, in as many columns as fit best.

    ``target`` names the map that is drawn, "" for none. Where one mask covers the whole stack
    its map belongs to no single plane, and the planes stay grey.
    """

    size: tuple[int, int]
    target: str = ""

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Stack, ...]:
        """One panel with all planes in a row."""
        cell = (width - 2 * _MARGIN - _GAP * (scene.depth - 1)) // scene.depth
        height = cell * scene.plane_shape[0] // scene.plane_shape[1]
        total = height + _TITLE_HEIGHT + _LABEL_HEIGHT + _MARGIN
        target = scene.layers[0].target.name if scene.layers else ""
        return (cls(size=(width, total), target=target),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The planes of this step."""
        scene, width = context.scene, self.size[0]
        theme = scene.theme
        picture = canvas(self.size, theme.surface)
        draw_text(picture, "frame stack", _MARGIN, 6, colour=theme.text, width=width - 2 * _MARGIN)
        note = _note(scene, self.target)
        if text_width(note, SMALL) + 120 <= width:
            draw_text(
                picture, note, width - _MARGIN, 8, size=SMALL, colour=theme.muted, align="right"
            )
        columns, cell = _grid(scene, self.size)
        if min(cell) < 4:
            return picture
        indent = (width - columns * (cell[0] + _GAP) + _GAP) // 2
        for plane in range(scene.depth):
            row, column = divmod(plane, columns)
            left = indent + column * (cell[0] + _GAP)
            top = _TITLE_HEIGHT + row * (cell[1] + _LABEL_HEIGHT)
            self._draw_cell(picture, context, plane, (left, top), cell)
        return picture

    def _draw_cell(
        self,
        picture: np.ndarray,
        context: FrameContext,
        plane: int,
        corner: tuple[int, int],
        cell: tuple[int, int],
    ) -> None:
        (left, top), (width, height) = corner, cell
        theme = context.scene.theme
        ago = context.scene.depth - 1 - plane
        label = "now" if ago == 0 else f"{ago} before"
        if context.planes[plane] is None:
            fill(picture, left, top, width, height, theme.background)
            label = "empty"
        else:
            layer = context.scene.layer(self.target) if self.target else None
            small = filled(heat_on_plane(context, layer, plane), width, height)
            heat = None if layer is None else plane_heat(context, layer, plane)
            if layer is not None and heat is not None and small.shape[0] >= heat.shape[0]:
                draw_contours(small, heat, layer, theme)
            paste(picture, small, left, top)
        middle, below = left + width // 2, top + height + 2
        draw_text(picture, label, middle, below, size=SMALL, colour=theme.muted, align="centre")


def _note(scene: Scene, target: str) -> str:
    if not target:
        return "what the agent sees"
    if len(scene.plane_names) == scene.depth > 1:
        return f"{target}, one map a plane"
    if scene.plane_names == ("all",) and scene.depth > 1:
        return "one map for all planes"
    return f"{target}, newest plane"


def _grid(scene: Scene, size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """Columns, and (width, height) of one plane, such that the planes are largest."""
    rows, columns = scene.plane_shape
    best, largest = (1, (0, 0)), 0.0
    for across in range(1, scene.depth + 1):
        down = -(-scene.depth // across)
        width = (size[0] - 2 * _MARGIN - _GAP * (across - 1)) // across
        height = (size[1] - _TITLE_HEIGHT - _MARGIN // 2) // down - _LABEL_HEIGHT
        ratio = min(width / columns, height / rows)
        if ratio > largest:
            best, largest = (across, (int(columns * ratio), int(rows * ratio))), ratio
    return best


PANEL = Stack
