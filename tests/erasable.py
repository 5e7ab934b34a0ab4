"""Steps whose objects are rectangles of the observation: stand-ins for those of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

Rectangle = tuple[int, int, int, int]
"""(top, bottom, left, right), ends excluded."""


class RectangleFrames:
    """Erasing an object puts ``fill`` into its rectangle of every plane."""

    def __init__(
        self, observations: Tensor, rectangles: Mapping[str, Rectangle], fill: float = 0.5
    ) -> None:
        self._observations, self._rectangles, self._fill = observations, rectangles, fill
        self.names = tuple(rectangles)

    @property
    def visible(self) -> np.ndarray:
        return np.ones((len(self._observations), len(self.names)), np.bool_)

    def erased(self, frame: int, sets: Sequence[int]) -> np.ndarray:
        own = self._observations[frame].float().cpu().numpy()
        found = np.repeat(own[None], len(sets), 0)
        for row, chosen in enumerate(sets):
            for index, (top, bottom, left, right) in enumerate(self._rectangles.values()):
                if chosen >> index & 1:
                    found[row, :, top:bottom, left:right] = self._fill
        return found

    def __getitem__(self, frames: slice | np.ndarray) -> RectangleFrames:
        return RectangleFrames(self._observations[frames], self._rectangles, self._fill)
