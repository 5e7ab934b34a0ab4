"""Area resizing of the rows that changed: most of a screen is as it was one decision earlier.

Reducing 210 rows to 84 makes every 5 rows into 2, whatever lies above and below them. Such a band
of rows can be resized apart from the rest with the same result, bit for bit.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np


class Bands:
    """What changed between pictures of one shape, by band, and a plane that is kept up with them.

    Attributes:
        shape: (R, C) of the pictures.
        size: (r, c) of the plane.
        count: bands; each is R / count rows of a picture and r / count rows of the plane.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int]) -> None:
        self.shape, self.size = shape, size
        self.count = math.gcd(shape[0], size[0])
        self._plane = np.zeros((self.count, size[0] // self.count * size[1]), np.uint8)
        self._seen: tuple[np.ndarray, ...] = ()

    def changed(self, *pictures: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Find the bands in which any picture differs from the one given in its place last time.

        Args:
            pictures: uint8 [R, C] each, always as many.

        Returns:
            Indices of the n changed bands, and their rows of each picture, [n, R C / count].
        """
        banded = [np.ascontiguousarray(picture).reshape(self.count, -1) for picture in pictures]
        if not self._seen:
            self._seen = tuple(picture.copy() for picture in banded)
            return np.arange(self.count), banded
        # Eight pixels at a time: an eighth of the answers to go through.
        differ = np.zeros(banded[0].view(np.uint64).shape, np.bool_)
        for new, old in zip(banded, self._seen, strict=True):
            differ |= new.view(np.uint64) != old.view(np.uint64)
        where = np.flatnonzero(differ.any(axis=1))
        rows = [picture.take(where, axis=0) for picture in banded]
        for old, new in zip(self._seen, rows, strict=True):
            old[where] = new
        return where, rows

    def update(self, where: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Resize the changed bands.

        Args:
            where: what ``changed`` gave.
            rows: uint8, the picture's rows of these bands, in its order.

        Returns:
            uint8 [r, c], the plane of the whole picture.
        """
        if len(where):
            rows = rows.reshape(-1, self.shape[1])
            height = len(where) * (self.size[0] // self.count)
            resized = cv2.resize(rows, (self.size[1], height), interpolation=cv2.INTER_AREA)
            self._plane[where] = resized.reshape(len(where), -1)
        return self._plane.reshape(self.size).copy()


@functools.cache
def resizes_by_bands(shape: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether bands give the same bits as the whole picture, with this build of OpenCV.

    Where the rows of a band are no dyadic fraction of the plane's, rounding depends on the place;
    other builds may treat large pictures differently. So one picture of noise is tried.
    """
    count = math.gcd(shape[0], size[0])
    ratio = shape[0] // count, size[0] // count
    if count == 1 or size[0] > shape[0] or ratio[1] & (ratio[1] - 1) or ratio[0] * shape[1] % 8:
        return False
    noise = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    whole = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_AREA)
    bands = Bands(shape, size)
    bands.changed(np.zeros_like(noise))
    bands.update(np.arange(count), np.zeros_like(noise))
    for last in range(1, count + 1):
        picture = np.zeros_like(noise)
        picture[: last * ratio[0]] = noise[: last * ratio[0]]
        where, rows = bands.changed(picture)
        plane = bands.update(where, rows[0])
    return bool(np.array_equal(plane, whole))
