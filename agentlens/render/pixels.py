"""Fitting pixel art into panels."""

from __future__ import annotations

import functools
import math

import numpy as np
from PIL import Image

from agentlens.render.colour import SURFACE, Colour


def enlarged(picture: np.ndarray, factor: int) -> np.ndarray:
    """Every pixel as a square of ``factor`` x ``factor``: uint8 [Y, X, 3] to [fY, fX, 3]."""
    height, width = picture.shape[:2]
    wide = np.repeat(picture, factor, axis=1)
    tall = np.broadcast_to(wide[:, None], (height, factor, width * factor, 3))
    return tall.reshape(height * factor, width * factor, 3)


def fitted_size(shape: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """(height, width) of a picture of this shape inside a box: a whole multiple where it fits."""
    rows, columns = shape
    factor = min(width // columns, height // rows)
    if factor >= 1:
        return rows * factor, columns * factor
    ratio = min(width / columns, height / rows)
    return max(1, int(rows * ratio)), max(1, int(columns * ratio))


def fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture as large as a box allows.

    Enlarged by a whole factor, so that its pixels stay square and sharp; where even its own size
    is too large, it is averaged down.
    """
    rows, columns = fitted_size((picture.shape[0], picture.shape[1]), width, height)
    if rows >= picture.shape[0]:
        return enlarged(picture, rows // picture.shape[0])
    return np.asarray(Image.fromarray(picture).resize((columns, rows), Image.Resampling.BOX))


def filled(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture as large as a box allows, by any factor: enlarged sharp, then averaged down."""
    rows, columns = picture.shape[:2]
    ratio = min(width / columns, height / rows)
    if ratio > 1:
        picture = enlarged(picture, math.ceil(ratio))
    size = (max(1, int(columns * ratio)), max(1, int(rows * ratio)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def canvas(size: tuple[int, int], colour: Colour = SURFACE) -> np.ndarray:
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
