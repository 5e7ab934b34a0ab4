"""What an agent sees on the screen: pooled screens, and the background that things move on."""

from __future__ import annotations

import cv2
import numpy as np

from agentlens.store.recording import Episode

BLOCK = 32
"""Screens read at a time."""
_MOVED = 32
"""A pixel moves if a channel is so far from the background's."""
_MOST_MOVING = 0.3
"""Where more of the screen than this moves, it is the background that does."""
_LARGEST_THING = 0.01
"""A thing of one colour is at most so much of the screen; a digit of Pong's score is .006."""
_MOST_THINGS = 64
_SAMPLES, _APART = 15, 12
"""The background is what most of so many screens show, so many steps apart: twelve seconds."""


def pooled(screens: np.ndarray, before: np.ndarray, pool: str) -> np.ndarray:
    """Screens as a preprocessing that pools them sees them.

    Args:
        screens, before: uint8 [..., Y, X, 3], and those that pooling pairs with them.
        pool: of the ``ObservationSpec``; "grey" keeps the lighter of two colours, any other the
            maximum of each channel, "none" the screens.

    Returns:
        uint8, the same shape.
    """
    if pool == "none":
        return screens
    different = (screens != before).any(axis=-1)
    result = screens.copy()
    last, first = screens[different], before[different]
    if pool == "grey":
        lighter = _luma(first) > _luma(last)
        result[different] = np.where(lighter[:, None], first, last)
    else:
        result[different] = np.maximum(last, first)
    return result


def usual(screens: np.ndarray) -> np.ndarray:
    """The median of some screens, channel by channel: uint8 [Y, X, 3] of uint8 [n, Y, X, 3]."""
    middle = len(screens) // 2
    background: np.ndarray = np.partition(screens, middle, axis=0)[middle]
    return background


def moving_pixels(screen: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Where something stands that the background lacks: bool [Y, X].

    A pixel in the background's commonest colour is no thing but the hole that one left, such as
    a brick that is gone. Nowhere, if nearly all of the screen differs.
    """
    if background is None:
        return np.zeros(screen.shape[:2], bool)
    near = (_MOVED, _MOVED, _MOVED)
    moving: np.ndarray = cv2.inRange(cv2.absdiff(screen, background), (0, 0, 0), near) == 0
    if not moving.any() or moving.mean() > _MOST_MOVING:
        return np.zeros_like(moving)
    codes = background.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    values, counts = np.unique(codes[::3, ::2], return_counts=True)
    ground = int(values[counts.argmax()])
    plain = np.array([ground >> 16, ground >> 8 & 255, ground & 255], np.int16)
    moving[moving] = np.abs(screen[moving].astype(np.int16) - plain).max(axis=1) > _MOVED
    return moving


def moving_things(screen: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Moving pixels with all of their own colour that hangs together with them: bool [Y, X].

    So a digit does not lack the strokes that it shares with the one that stands there most of the
    time. What is too large for a thing, such as a wall, is left as it moves, and so is what comes
    after the first 64 things.
    """
    moving = moving_pixels(screen, background)
    things, left, most = moving.copy(), moving.copy(), _LARGEST_THING * moving.size
    filled = np.zeros((moving.shape[0] + 2, moving.shape[1] + 2), np.uint8)
    source = np.ascontiguousarray(screen)
    for number in range(1, _MOST_THINGS + 1):
        if not left.any():
            break
        row, column = divmod(int(left.argmax()), left.shape[1])
        flags = 8 | cv2.FLOODFILL_MASK_ONLY | number << 8
        area, _, _, edges = cv2.floodFill(source, filled, (column, row), 0, flags=flags)
        x, y, width, height = edges
        box = slice(y, y + height), slice(x, x + width)
        thing = filled[1:-1, 1:-1][box] == number
        left[box] &= ~thing
        if area <= most:
            things[box] |= thing
    return things


class SeenScreens:
    """The screens of an episode as the agent sees them, read in blocks.

    Holds two blocks, whatever the episode's length.
    """

    def __init__(self, episode: Episode, pool: str) -> None:
        self._episode, self._pool = episode, pool
        self._blocks: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def screen(self, step: int) -> np.ndarray:
        """uint8 [Y, X, 3]."""
        screen: np.ndarray = self._block(step)[0][step % BLOCK]
        return screen

    def plane(self, step: int) -> np.ndarray:
        """The newest frame of a step's observation: uint8 [H, W], or [H, W, 3] in colour."""
        plane: np.ndarray = self._block(step)[1][step % BLOCK]
        return as_bytes(plane)

    def background(self, step: int) -> np.ndarray:
        """What most screens around a step show: uint8 [Y, X, 3]."""
        return self._block(step)[2]

    def _block(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        start = step - step % BLOCK
        if start not in self._blocks:
            if len(self._blocks) >= 2:
                self._blocks.pop(next(iter(self._blocks)))
            part = slice(start, start + BLOCK)
            screens = self._episode.screens[part]
            if self._pool != "none":
                screens = pooled(screens, self._episode.screens_before[part], self._pool)
            planes = self._episode.planes[part]
            self._blocks[start] = screens, planes, self._background(start + BLOCK // 2)
        return self._blocks[start]

    def _background(self, middle: int) -> np.ndarray:
        reach = _SAMPLES * _APART
        first = max(0, min(middle - reach // 2, len(self._episode) - reach))
        steps = range(first, min(first + reach, len(self._episode)), _APART)
        return usual(np.stack([self._episode.screens[step] for step in steps]))


def as_bytes(plane: np.ndarray) -> np.ndarray:
    """A stored frame of the stack (uint8 or float32 of 0 to 255, [H, W] or [3, H, W]) as it is
    drawn: uint8 [H, W], or [H, W, 3] in colour."""
    plane = np.moveaxis(plane, 0, -1) if plane.ndim == 3 else plane
    return plane if plane.dtype == np.uint8 else np.rint(plane.clip(0, 255)).astype(np.uint8)


def _luma(colours: np.ndarray) -> np.ndarray:
    luma: np.ndarray = colours @ np.array([299, 587, 114], np.int32)
    return luma
