"""Mosaic: one glyph of many cells says which action is right; the others say nothing.

Shape letters: Y X screen, n cells along each axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentlens.envs.base import Environment, Forced, Outcome
from agentlens.errors import EmulatorError
from agentlens.palette import Palette
from agentlens.spec import EnvironmentSpec

MEANINGS = ("UP", "RIGHT", "DOWN", "LEFT")
"""Which half of the foreground glyph is bright, and so which action is right."""

CELL = 20
"""Pixels along a cell's side."""
GLYPH = slice(3, 17)
"""Rows and columns of a cell that a glyph may cover."""
DECISIONS = 100
"""Decisions of an episode."""

CHEAT = tuple((slice(0, 2), slice(2 * action, 2 * action + 2)) for action in range(4))
"""Rows and columns of the upper left corner that are bright where an action is given away."""

_GROUND, _NOISE = 110, 6.0
_CHEAT_BRIGHTNESS = 230
_BRIGHTNESS = (40, 90)
"""Grey levels that a glyph lies above or below the ground: the same range for all, so that
brightness tells nothing."""


class Mosaic(Environment):
    """n x n cells of 20 pixels: a foreground glyph in one, distractors in the others.

    The foreground glyph is a square, one half of it as much brighter than the ground as the other
    is darker; which half is bright is the right action, worth 1. Distractors (ring, plus, disc,
    square, bright on dark or dark on bright) look the same upside down and differ from the ground
    as much. Every decision shows a new mosaic.

    Args:
        spec: its id was made by the kind's ``describe``.
        meanings: ``MEANINGS``.
        cells: n.
        delay: the right action is the one that was shown so many decisions ago.
        cheat: two by two pixels in the upper left corner, outside its glyph, give the right action
            away by their place; the cause is then the corner's cell.
        like: another of the same recording.
    """

    ticks_per_second = 4.0

    def __init__(
        self,
        spec: EnvironmentSpec,
        meanings: Sequence[str],
        *,
        cells: int,
        delay: int = 0,
        cheat: bool = False,
        like: Environment | None = None,
    ) -> None:
        if tuple(meanings) != MEANINGS:
            raise EmulatorError(
                f"{spec.id} has the actions {', '.join(MEANINGS)}, not {', '.join(meanings)}."
            )
        self.action_meanings = MEANINGS
        self.identity = {"world": "mosaic", "version": 1, "cells": cells, "delay": delay}
        if cheat:
            self.identity["cheat"] = True
        self.cells, self._delay, self._cheat = cells, delay, cheat
        side = cells * CELL
        self.screen_shape = (side, side)
        self.palette = like.palette if like is not None else _grey_palette()
        self._generator = np.random.default_rng(0)
        self._decision = 0
        self._shown: list[tuple[int, int]] = [(0, 0)]
        self.screen = np.zeros(self.screen_shape, np.uint8)
        self.screen_before = self.previous_screen = self.screen

    def reset(self, *, seed: int, rules: np.random.Generator) -> tuple[Forced, ...]:
        """Begin an episode; see ``Environment``."""
        self._generator = np.random.default_rng(seed)
        self._decision = 0
        self._shown = []
        self._show()
        self.screen_before = self.previous_screen = self.screen
        return ()

    def step(self, action: int) -> Outcome:
        """Play one decision; see ``Environment``."""
        chosen = self.checked_action(action)
        right = self.cause[1] == chosen
        self.previous_screen = self.screen_before = self.screen
        self._decision += 1
        self._show()
        return Outcome(reward=float(right), frames=1, terminated=self._decision >= DECISIONS)

    @property
    def tick(self) -> int:
        """Decisions since the episode began."""
        return self._decision

    @property
    def cause(self) -> tuple[int, int]:
        """Cell (row by row) and right action of this decision, both of the frame ``delay`` ago."""
        return self._shown[max(0, len(self._shown) - 1 - self._delay)]

    def fingerprint(self) -> bytes:
        """The cause's cell and action, those of the newest frame, the decision."""
        cell, action = self.cause
        newest = self._shown[-1]
        return bytes([cell, action, newest[0], newest[1], self._decision])

    def _show(self) -> None:
        generator, side = self._generator, self.screen_shape[0]
        picture = np.full((side, side), float(_GROUND))
        cell = int(generator.integers(self.cells**2))
        action = int(generator.integers(len(MEANINGS)))
        for place in range(self.cells**2):
            row, column = divmod(place, self.cells)
            size = float(generator.integers(*_BRIGHTNESS))
            kind = int(generator.integers(len(_DISTRACTORS)))
            glyph = _FOREGROUND[action] if place == cell else _DISTRACTORS[kind]
            part = picture[row * CELL : row * CELL + CELL, column * CELL : column * CELL + CELL]
            part[GLYPH, GLYPH] += size * glyph
        picture += generator.normal(0.0, _NOISE, picture.shape)
        if self._cheat:
            picture[CHEAT[action]] = _CHEAT_BRIGHTNESS
        self.screen = picture.clip(0, 255).round().astype(np.uint8)
        self._shown.append((0 if self._cheat else cell, action))


def foreground(action: int) -> np.ndarray:
    """The foreground glyph of an action: float64 [14, 14], +1 bright, -1 dark."""
    return _FOREGROUND[action].copy()


def _grey_palette() -> Palette:
    palette = Palette()
    ramp = np.arange(256, dtype=np.uint8)[None]
    palette.learn(ramp, np.repeat(ramp[..., None], 3, axis=-1), ramp)
    return palette


def _glyphs() -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    size = GLYPH.stop - GLYPH.start
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    radius = np.hypot(rows, columns)
    up = np.where(rows < 0, 1.0, -1.0)
    right = np.where(columns > 0, 1.0, -1.0)
    distractors = (
        (radius < size / 2) & (radius > size / 4),
        (np.abs(rows) < 2) | (np.abs(columns) < 2),
        radius < size / 2.5,
        np.maximum(np.abs(rows), np.abs(columns)) < size / 3,
    )
    both = [sign * np.where(shape, 1.0, -1.0) for shape in distractors for sign in (1, -1)]
    return (up, right, -up, -right), tuple(both)


_FOREGROUND, _DISTRACTORS = _glyphs()
