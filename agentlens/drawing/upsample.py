"""From grid values to screen pixels, by the true centres of the grid's cells."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_shape
from agentlens.errors import ShapeError
from agentlens.spec import GridSpec, ObservationSpec


@dataclass(frozen=True, eq=False)
class Upsampler:
    """Separable linear interpolation from cells to screen pixels.

    Each screen row or column inside the crop mixes the two cells around it; beyond the outermost
    centres the outermost cell holds up to the crop's edge. Outside the crop, which the agent does
    not see, there is nothing.

    Attributes:
        rows, columns: for each row or column of the crop the cell above or left of it, and the
            share of the next one.
        crop: (top, bottom, left, right) on the screen, ends excluded.
        grid_shape: (gy, gx). screen_shape: (Y, X).
    """

    rows: tuple[np.ndarray, np.ndarray]
    columns: tuple[np.ndarray, np.ndarray]
    crop: tuple[int, int, int, int]
    grid_shape: tuple[int, int]
    screen_shape: tuple[int, int]

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Spread values over the screen.

        Args:
            values: float [gy, gx].

        Returns:
            float32 [Y, X].
        """
        check_shape("values", values, self.grid_shape)
        tall = _mixed(values.astype(np.float32), *self.rows)
        top, bottom, left, right = self.crop
        screen = np.zeros(self.screen_shape, np.float32)
        screen[top:bottom, left:right] = _mixed(tall.T, *self.columns).T
        return screen


@functools.lru_cache(maxsize=16)
def upsampler(
    grid: GridSpec, observation: ObservationSpec, screen_shape: tuple[int, int]
) -> Upsampler:
    """The weights of one geometry.

    Raises:
        ShapeError: the grid belongs to observations of another size.
    """
    if tuple(grid.observation) != tuple(observation.resize):
        raise ShapeError(
            f"the maps' grid is for observations of {grid.observation}, but the agent sees "
            f"{observation.resize}: they do not belong together."
        )
    top, bottom, left, right = observation.screen_rectangle(screen_shape)
    rows = [observation.to_screen(r, 0.0, screen_shape)[0] for r in grid.rows]
    columns = [observation.to_screen(0.0, c, screen_shape)[1] for c in grid.columns]
    return Upsampler(
        rows=_places(np.array(rows), top, bottom),
        columns=_places(np.array(columns), left, right),
        crop=(top, bottom, left, right),
        grid_shape=grid.shape,
        screen_shape=screen_shape,
    )


@functools.lru_cache(maxsize=16)
def plane_upsampler(grid: GridSpec) -> Upsampler:
    """The weights from a grid's cells to the pixels of the plane itself."""
    height, width = grid.observation
    return Upsampler(
        rows=_places(np.array(grid.rows), 0, height),
        columns=_places(np.array(grid.columns), 0, width),
        crop=(0, height, 0, width),
        grid_shape=grid.shape,
        screen_shape=(height, width),
    )


def _places(centres: np.ndarray, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell before each of the pixels first .. end-1, and the share of the cell after it."""
    cells = np.arange(len(centres), dtype=np.float64)
    place = np.interp(np.arange(first, end), centres, cells)
    before = np.minimum(place.astype(np.intp), max(len(centres) - 2, 0))
    return before, (place - before).astype(np.float32)[:, None]


def _mixed(values: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate along the first axis."""
    lower = values[before]
    upper = values[np.minimum(before + 1, len(values) - 1)]
    mixed: np.ndarray = lower + share * (upper - lower)
    return mixed
