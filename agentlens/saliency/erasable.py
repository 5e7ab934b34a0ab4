"""What a method is given to erase objects with. No torch and no files here.

Sets of objects are whole numbers: bit i stands for object i. Shape letters: F frames, N objects,
C sets of objects, K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class ErasableFrames(Protocol):
    """Steps whose objects can be erased, each at its own place in every frame of the stack."""

    @property
    def names(self) -> tuple[str, ...]:
        """The objects."""

    @property
    def visible(self) -> np.ndarray:
        """Whether an object has a pixel in any frame of the stack: bool [F, N]."""

    def erased(self, frame: int, sets: Sequence[int]) -> np.ndarray:
        """One step's observation without each set of objects: float32 [C, K, H, W]."""

    def __getitem__(self, frames: slice | np.ndarray) -> ErasableFrames:
        """Some of the steps, by their places: a slice, or int64 [n] with repeats allowed."""
