"""Connected regions of one colour, for games whose objects are not known."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from agentlens.envs.atari.objects._finders import ColourFinder

_SMALLEST = 2


class Region(NamedTuple):
    """Neighbouring pixels of one object: its place in ``names``, box (ends excluded), pixels."""

    label: int
    box: tuple[int, int, int, int]
    pixels: int


def regions(screen: np.ndarray, finder: ColourFinder) -> tuple[Region, ...]:
    """The connected regions of each colour that differs from the background, corners included.

    Args:
        screen: uint8 [Y, X] palette indices.
        finder: of the recording.

    Notes:
        Single pixels are left out.
    """
    labels = finder.labels(screen, np.zeros(128, np.uint8))
    parts = []
    for label in np.unique(labels[labels > 0]).tolist():
        mask = (labels == label).astype(np.uint8)
        _, _, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for left, top, width, height, pixels in statistics[1:].tolist():
            if pixels >= _SMALLEST:
                box = (top, top + height, left, left + width)
                parts.append(Region(label=label - 1, box=box, pixels=pixels))
    return tuple(parts)
