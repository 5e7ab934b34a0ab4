"""What the policy would do: a bar an action, the one taken marked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.pixels import canvas, fill
from agentlens.drawing.text import NORMAL, SMALL, draw_text, line_height, number, text_width

_TITLES = {"probability": ("action probability", "probability", "p"), "q_value": ("Q-value", "Q")}
"""The longest that fits."""
_MARGIN, _TITLE_HEIGHT, _ROW = 12, 34, 26

_LARGEST_ROW = 36


@dataclass(frozen=True, kw_only=True)
class Actions:
    """Probability or Q-value of each action; equal actions are one row."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Actions, ...]:
        """One panel, as high as its rows need."""
        height = _TITLE_HEIGHT + _ROW * len(scene.choices.names) + _MARGIN
        return (cls(size=(width, height)),)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The bars of this step."""
        theme = context.scene.theme
        picture = canvas(self.size, theme.surface)
        width, height = self.size
        choices = context.scene.choices
        room = width - 2 * _MARGIN
        titles = _TITLES[choices.kind]
        title = next((t for t in titles if text_width(t, NORMAL) <= room), titles[-1])
        room -= draw_text(picture, title, _MARGIN, 8, colour=theme.text, width=room) + _MARGIN
        taken = f"takes {choices.names[context.taken]}"
        if text_width(taken, SMALL) <= room:  # else the row's own mark says it
            draw_text(
                picture,
                taken,
                width - _MARGIN,
                10,
                size=SMALL,
                colour=theme.muted,
                align="right",
                width=room,
            )
        rows = len(choices.names)
        space = height - _TITLE_HEIGHT - _MARGIN // 2
        step = min(_LARGEST_ROW, space / rows)
        for row in range(rows):
            _draw_row(picture, context, row, round(_TITLE_HEIGHT + row * step), int(step))
        return picture


def _draw_row(picture: np.ndarray, context: FrameContext, row: int, top: int, step: int) -> None:
    choices, theme = context.scene.choices, context.scene.theme
    width = picture.shape[1]
    size = SMALL if step >= 12 else max(8, step)
    names = max(text_width(name, size) for name in choices.names)
    names = min(names, width * 2 // 5)
    left = _MARGIN + 14 + names + 10
    right = width - _MARGIN - 46
    taken = row == context.taken
    explained = row == context.explained and not taken
    text_top = top + (step - line_height(size)) // 2
    bright = theme.text if taken else theme.muted
    if taken:
        _draw_pointer(picture, _MARGIN, top + step // 2, theme.accents["actor"])
    draw_text(
        picture,
        choices.names[row],
        _MARGIN + 14,
        text_top,
        size=size,
        colour=theme.warning if explained else bright,
        width=names,
    )
    value = float(context.row_values[row])
    thickness = max(3, min(14, step - 6))
    bar_top = top + (step - thickness) // 2
    room = max(0, right - left)
    fill(picture, left, bar_top, room, thickness, theme.line)
    span = choices.high - choices.low
    part = 0.0 if span <= 0 else min(max((value - choices.low) / span, 0.0), 1.0)
    colour = theme.accents["actor"] if taken else theme.bar
    fill(picture, left, bar_top, round(part * room), thickness, colour)
    text = f"{value:.2f}" if choices.kind == "probability" else number(value)
    draw_text(picture, text, width - _MARGIN, text_top, size=size, colour=bright, align="right")


def _draw_pointer(
    picture: np.ndarray, left: int, middle: int, colour: tuple[int, int, int]
) -> None:
    """A small triangle that points right."""
    for column in range(6):
        reach = 5 - column
        fill(picture, left + column, middle - reach, 1, 2 * reach, colour)


PANEL = Actions
