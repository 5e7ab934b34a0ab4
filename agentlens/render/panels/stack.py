"""The planes of the frame stack, each with its own map on its own past screen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.render.colour import BACKGROUND, LINE, MUTED, darkened_grey
from agentlens.render.context import FrameContext, Scene
from agentlens.render.heat import heat_on_screen, plane_map
from agentlens.render.pixels import canvas, fill, fitted, fitted_size, paste
from agentlens.render.text import NORMAL, SMALL, draw_text

_MARGIN, _GAP, _TITLE_HEIGHT, _LABEL_HEIGHT = 12, 8, 28, 18


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Small screens, oldest first, in as many columns as fit best.

    ``target`` names the map that is drawn, "" for none. Where one mask covers the whole stack
    its map belongs to no single screen, and the screens stay grey.
    """

    size: tuple[int, int]
    target: str = ""

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Stack, ...]:
        """One panel with all planes in a row."""
        cell = (width - 2 * _MARGIN - _GAP * (scene.depth - 1)) // scene.depth
        height, _ = fitted_size(scene.screen_shape, max(1, cell), 10_000)
        total = height + _TITLE_HEIGHT + _LABEL_HEIGHT + _MARGIN
        target = scene.layers[0].target.name if scene.layers else ""
        return (cls(size=(width, total), target=target),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The planes of this step."""
        picture = canvas(self.size)
        scene, width = context.scene, self.size[0]
        draw_text(picture, "frame stack", _MARGIN, 6, size=NORMAL, width=width - 2 * _MARGIN)
        draw_text(
            picture, _note(scene, self.target), width - _MARGIN, 8, size=SMALL, colour=MUTED,
            align="right", width=max(0, width - 120),
        )  # fmt: skip
        columns, rows = _grid(scene, self.size)
        cell_width = (width - 2 * _MARGIN - _GAP * (columns - 1)) // columns
        inner = self.size[1] - _TITLE_HEIGHT - _MARGIN // 2
        cell_height = inner // rows
        if cell_width < 4 or cell_height <= _LABEL_HEIGHT + 4:
            return picture
        for plane in range(scene.depth):
            row, column = divmod(plane, columns)
            left = _MARGIN + column * (cell_width + _GAP)
            top = _TITLE_HEIGHT + row * cell_height
            self._draw_cell(picture, context, plane, (left, top), (cell_width, cell_height))
        return picture

    def _draw_cell(
        self,
        picture: np.ndarray,
        context: FrameContext,
        plane: int,
        corner: tuple[int, int],
        room: tuple[int, int],
    ) -> None:
        scene = context.scene
        left, top = corner
        height, width = fitted_size(scene.screen_shape, room[0], room[1] - _LABEL_HEIGHT)
        left += (room[0] - width) // 2
        screen = context.past_screens[plane]
        ago = scene.depth - 1 - plane
        label = "now" if ago == 0 else f"{ago} before"
        if screen is None:
            fill(picture, left, top, width, height, BACKGROUND)
            label = "empty"
        else:
            small = fitted(self._on_screen(context, plane, screen), room[0], room[1] - _LABEL_HEIGHT)
            paste(picture, small, left, top)
        fill(picture, left, top + height, width, 1, LINE)
        middle = left + width // 2
        draw_text(
            picture, label, middle, top + height + 2, size=SMALL, colour=MUTED, align="centre"
        )

    def _on_screen(self, context: FrameContext, plane: int, screen: np.ndarray) -> np.ndarray:
        scene = context.scene
        values, index = context.maps.get(self.target), plane_map(scene, plane)
        if values is None or index is None:
            return np.repeat(darkened_grey(screen)[..., None], 3, axis=2)
        return heat_on_screen(scene, scene.layer(self.target), screen, values[index])


def _note(scene: Scene, target: str) -> str:
    if not target:
        return "what the agent sees"
    if len(scene.plane_names) == scene.depth > 1:
        return f"{target}, one map a plane"
    if scene.plane_names == ("all",) and scene.depth > 1:
        return "one map for all planes"
    return f"{target}, newest plane"


def _grid(scene: Scene, size: tuple[int, int]) -> tuple[int, int]:
    """(columns, rows) that make the planes largest."""
    best, largest = (scene.depth, 1), 0
    for columns in range(1, scene.depth + 1):
        rows = -(-scene.depth // columns)
        width = (size[0] - 2 * _MARGIN - _GAP * (columns - 1)) // columns
        height = (size[1] - _TITLE_HEIGHT) // rows - _LABEL_HEIGHT
        if width < 1 or height < 1:
            continue
        area = fitted_size(scene.screen_shape, width, height)[0]
        if area > largest:
            best, largest = (columns, rows), area
    return best


PANEL = Stack
