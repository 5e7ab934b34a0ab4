"""Continuations of one game beside each other: as it was, and with a region hidden.

What is hidden is outlined and darkened on the screen; below it stand the return so far and how far
the policy was moved.

Shape letters: Y X screen rows and columns, N decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from agentlens.drawing.pixels import canvas, fill, paste, paste_fitted
from agentlens.drawing.side_by_side import COLOURS, MOST
from agentlens.drawing.text import SMALL, TITLE, draw_text, number
from agentlens.drawing.theme import DARK, Theme
from agentlens.errors import InvalidArgument

_MARGIN, _GAP, _HEADER, _NAME, _WORDS, _STRIP = 16, 16, 58, 28, 26, 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Continuation:
    """One way in which the game went on.

    ``returns``: float64 [N], the return so far, each decision's reward included. ``kl``: float64
    [N], nats, NaN where nothing was hidden. Where it is shorter than others its game was over.
    """

    label: str
    returns: np.ndarray
    kl: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class ContinuationPage:
    """Where everything stands. ``first``: step number of the first decision. ``scale``: pixels of
    a screen pixel.

    Raises:
        InvalidArgument: more columns than fit.
    """

    columns: Sequence[Continuation]
    title: str
    facts: str
    first: int
    screen_shape: tuple[int, int]
    scale: int = 2
    theme: Theme = DARK

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= MOST:
            raise InvalidArgument(f"{len(self.columns)} continuations: expected 1 to {MOST}.")

    @property
    def column_width(self) -> int:
        """Of one continuation, in pixels."""
        return self.screen_shape[1] * self.scale

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), multiples of 16."""
        count = len(self.columns)
        width = 2 * _MARGIN + count * self.column_width + (count - 1) * _GAP
        height = self.screen_shape[0] * self.scale + _NAME + _WORDS + _STRIP + _HEADER + 2 * _MARGIN
        return width + -width % 16, height + -height % 16

    @property
    def length(self) -> int:
        """Decisions of the longest continuation."""
        return max(len(column.returns) for column in self.columns)

    @property
    def largest(self) -> float:
        """The top of every strip: the largest divergence of all, nats."""
        known = [column.kl[np.isfinite(column.kl)] for column in self.columns]
        return float(np.concatenate([*known, np.zeros(1)]).max())

    def draw(
        self, at: int, screens: Sequence[np.ndarray], hidden: Sequence[np.ndarray | None]
    ) -> np.ndarray:
        """One picture: uint8 [height, width, 3].

        Args:
            at: the decision, from 0.
            screens: uint8 [Y, X, 3], one a column; the last one where its game is over.
            hidden: bool [Y, X], what is hidden of each; ``None`` for nothing.
        """
        page = canvas(self.size, self.theme.background)
        width = self.size[0] - 2 * _MARGIN
        standing = f"step {self.first + at}"
        write = draw_text
        used = write(
            page, standing, _MARGIN + width, _MARGIN + 5, colour=self.theme.text, align="right"
        )
        room = width - used - 24
        write(page, self.title, _MARGIN, _MARGIN, colour=self.theme.text, size=TITLE, width=room)
        write(
            page,
            self.facts,
            _MARGIN,
            _MARGIN + 28,
            colour=self.theme.muted,
            size=SMALL,
            width=width,
        )
        fill(page, _MARGIN, _MARGIN + _HEADER - 10, width, 1, self.theme.line)
        for place, screen in enumerate(screens):
            left = _MARGIN + place * (self.column_width + _GAP)
            self._draw_column(page, place, left, at, covered(screen, hidden[place]))
            self._outline(page, left, hidden[place])
        return page

    def _draw_column(
        self, page: np.ndarray, place: int, left: int, at: int, screen: np.ndarray
    ) -> None:
        column, theme, width = self.columns[place], self.theme, self.column_width
        over = at >= len(column.returns)
        last = min(at, len(column.returns) - 1)
        top = _MARGIN + _HEADER
        fill(page, left, top + 2, 6, 16, COLOURS[place])
        draw_text(page, column.label, left + 14, top, colour=theme.text, size=16, width=width - 14)
        top += _NAME
        height = self.screen_shape[0] * self.scale
        box = page[:, left : left + width]
        paste_fitted(box, screen // 3 if over else screen, top=top, width=width, height=height)
        if over:
            middle = left + width // 2, top + height // 2
            draw_text(page, "game over", *middle, colour=theme.text, align="centre")
        top += height + 6
        draw_text(page, f"return so far {column.returns[last]:+g}", left, top, colour=theme.text)
        if np.isfinite(column.kl).any():
            moved = f"KL {number(float(column.kl[last]))} nats"
            draw_text(page, moved, left + width, top, colour=theme.text, align="right")
            self._draw_strip(page, column.kl, left, top + _WORDS - 6, last)

    def _draw_strip(self, page: np.ndarray, kl: np.ndarray, left: int, top: int, last: int) -> None:
        """The divergence of every decision, bright up to this one; heights go by its root."""
        width, height, theme = self.column_width, _STRIP - 8, self.theme
        heights = strip(kl, self.length, width, self.largest) * (height - 1)
        now = round(last / max(1, self.length - 1) * (width - 1))
        rows = np.arange(height)[:, None] >= height - heights[None] - 0.5
        picture = canvas((width, height), theme.surface)
        picture[rows & (heights > 0)] = theme.line
        bright = rows & (heights > 0) & (np.arange(width) <= now)
        picture[bright] = theme.accents["actor"]
        paste(picture, np.tile(np.array(theme.text, np.uint8), (height, 1, 1)), now, 0)
        paste(page, picture, left, top)
        ends = f"up to {number(self.largest)} nats"
        draw_text(page, ends, left + 4, top, colour=theme.muted, size=SMALL)

    def _outline(self, page: np.ndarray, left: int, hidden: np.ndarray | None) -> None:
        """The edge of what is hidden, sharp at the video's own resolution."""
        if hidden is None:
            return
        large = hidden.repeat(self.scale, 0).repeat(self.scale, 1).astype(np.uint8)
        edge = cv2.morphologyEx(large, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        top = _MARGIN + _HEADER + _NAME
        part = page[top : top + large.shape[0], left : left + large.shape[1]]
        part[edge] = self.theme.warning


def covered(screen: np.ndarray, hidden: np.ndarray | None) -> np.ndarray:
    """A screen with what is hidden darkened to two fifths: uint8 [Y, X, 3], a new one.

    Example:
        >>> bright = np.full((1, 2, 3), 100, np.uint8)
        >>> covered(bright, np.array([[True, False]]))[0, :, 0].tolist()
        [40, 100]
    """
    shown = screen.copy()
    if hidden is not None:
        shown[hidden] = (shown[hidden] * 0.4).astype(np.uint8)
    return shown


def strip(kl: np.ndarray, length: int, width: int, largest: float) -> np.ndarray:
    """Heights of a strip, 0 to 1: the root of the largest value that falls on each column.

    Args:
        kl: float64 [N], nats, N up to ``length``.
        length: decisions that the whole width stands for.
        width: columns.
        largest: value of height 1; 0 for a flat strip.

    Example:
        >>> strip(np.array([0.0, 1.0, 4.0]), 3, 3, 4.0).tolist()
        [0.0, 0.5, 1.0]
    """
    heights = np.zeros(width)
    if largest <= 0:
        return heights
    values = np.nan_to_num(kl)
    first = np.arange(len(values)) * width // length
    end = np.maximum(first + 1, (np.arange(len(values)) + 1) * width // length)
    for start, stop, value in zip(first, end, values, strict=True):
        heights[start:stop] = np.maximum(heights[start:stop], np.sqrt(value / largest))
    return heights
