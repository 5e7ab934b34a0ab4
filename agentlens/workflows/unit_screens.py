"""Screens with what a unit reads of them marked, as pictures and pages of units show them.

Shape letters: Y X screen.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from agentlens.drawing.pixels import fill, filled
from agentlens.spec import ObservationSpec

Field = tuple[int, int, int, int]
"""(top, bottom, left, right) in observation pixels, ends excluded."""

_MARK = (255, 176, 0)


def boxed_screen(
    screen: np.ndarray, field: Field | None, spec: ObservationSpec, height: int
) -> np.ndarray:
    """A screen of a given height with a box around a field: uint8 [height, width, 3].

    Args:
        screen: uint8 [Y, X, 3].
        field: what a unit reads of the observation; None marks nothing.
        spec: how screens become observations.
        height: pixels.
    """
    rows, columns = screen.shape[:2]
    shown = filled(screen, round(height * columns / rows), height)
    if field is not None:
        top, bottom, left, right = on_screen(field, spec, (rows, columns))
        ratios = shown.shape[0] / rows, shown.shape[1] / columns
        _box(
            shown,
            (int(top * ratios[0]), int(bottom * ratios[0])),
            (int(left * ratios[1]), int(right * ratios[1])),
        )
    return shown


def on_screen(
    field: Field, spec: ObservationSpec, shape: tuple[int, int]
) -> tuple[float, float, float, float]:
    """The edges of a field of the observation, in screen pixels."""
    top, bottom, left, right = spec.screen_rectangle(shape)
    ratios = (bottom - top) / spec.resize[0], (right - left) / spec.resize[1]
    return (
        top + field[0] * ratios[0],
        top + field[1] * ratios[0],
        left + field[2] * ratios[1],
        left + field[3] * ratios[1],
    )


def patch_of(screen: np.ndarray, field: Field, spec: ObservationSpec, side: int) -> np.ndarray:
    """What lies in a field, enlarged to at most a square: uint8 [side or less, side or less, 3]."""
    edges = on_screen(field, spec, (screen.shape[0], screen.shape[1]))
    top, bottom, left, right = (int(edge) for edge in edges)
    return filled(screen[top : max(bottom, top + 1), left : max(right, left + 1)], side, side)


def png_bytes(picture: np.ndarray) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _box(picture: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    (top, bottom), (left, right) = rows, columns
    for row in (top, bottom - 2):
        fill(picture, left, row, right - left, 2, _MARK)
    for column in (left, right - 2):
        fill(picture, column, top, 2, bottom - top, _MARK)
