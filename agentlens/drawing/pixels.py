"""Fitting pixel art into panels."""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image

from agentlens.drawing.theme import Colour


def fitted_size(shape: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """(height, width) of a picture of this shape inside a box: a whole multiple where it fits."""
    rows, columns = shape
    factor = min(width // columns, height // rows)
    if factor >= 1:
        return rows * factor, columns * factor
    ratio = min(width / columns, height / rows)
    return max(1, int(rows * ratio)), max(1, int(columns * ratio))


def paste_fitted(
    picture: np.ndarray, screen: np.ndarray, *, top: int, width: int, height: int
) -> np.ndarray:
    """Paint a screen into a box ``width`` wide below ``top``, centred and as large as it fits.

    Enlarged by a whole factor, so that its pixels stay square and sharp; where even its own size
    is too large, it is averaged down.

    Returns:
        The part of ``picture`` that was painted, to be painted over.
    """
    rows, columns = fitted_size((screen.shape[0], screen.shape[1]), width, height)
    left = (width - columns) // 2
    factor = rows // screen.shape[0]
    if factor < 1:
        paste(picture, _averaged(screen, columns, rows), left, top)
        return picture[top : top + rows, left : left + columns]
    space = picture[top : top + rows, left : left + columns]
    wide = _widened(screen, factor)
    for offset in range(factor):
        space[offset::factor] = wide
    return space


def filled(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture as large as a box allows, by any factor: enlarged sharp, then averaged down."""
    rows, columns = picture.shape[:2]
    ratio = min(width / columns, height / rows)
    if ratio > 1:
        factor = math.ceil(ratio)
        picture = _widened(picture, factor).repeat(factor, axis=0)
    return _averaged(picture, max(1, int(columns * ratio)), max(1, int(rows * ratio)))


def _widened(picture: np.ndarray, factor: int) -> np.ndarray:
    """Every pixel ``factor`` times in its row: uint8 [Y, fX, 3]."""
    height, width = picture.shape[:2]
    bytes_of_row = np.arange(width * 3).reshape(width, 1, 3).repeat(factor, axis=1).ravel()
    wide: np.ndarray = picture.reshape(height, width * 3).take(bytes_of_row, axis=1)
    return wide.reshape(height, width * factor, 3)


def _averaged(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BOX))


def canvas(size: tuple[int, int], colour: Colour) -> np.ndarray:
    """A new picture of one colour: uint8 [height, width, 3] for a size of (width, height)."""
    return _blank(size, colour).copy()


@functools.lru_cache(maxsize=64)
def _blank(size: tuple[int, int], colour: Colour) -> np.ndarray:
    width, height = size
    return np.tile(np.array(colour, np.uint8), (height, width, 1))


def fill(picture: np.ndarray, left: int, top: int, width: int, height: int, colour: Colour) -> None:
    """Paint a rectangle into ``picture``, clipped to it."""
    picture[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)] = colour


def paste(picture: np.ndarray, part: np.ndarray, left: int, top: int) -> None:
    """Copy ``part`` into ``picture``, clipped at its right and lower edges."""
    space = picture[top : top + part.shape[0], left : left + part.shape[1]]
    space[:] = part[: space.shape[0], : space.shape[1]]
