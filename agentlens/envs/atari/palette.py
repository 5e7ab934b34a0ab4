"""What the emulator's palette indices look like, learned from its own screens.

ALE has no call for its palette, and it differs between cartridges (NTSC, PAL); but a screen can
be had as indices, as RGB and as grey, so every index seen is known exactly.
"""

from __future__ import annotations

import numpy as np

from agentlens.arrays import check_dtype, check_shape


class Palette:
    """Colours by palette index, of one game.

    Attributes:
        rgb: uint8 [256, 3]; zeros where not yet seen.
        grey: uint8 [256], ALE's own grey (not a fixed function of ``rgb``).
        version: grows whenever an index is learned; tables built from a palette hang on it.
    """

    def __init__(self) -> None:
        self.rgb = np.zeros((256, 3), np.uint8)
        self.grey = np.zeros(256, np.uint8)
        self.version = 0
        self._unknown = np.ones(256, np.uint8)

    @property
    def known(self) -> np.ndarray:
        """bool [256]: the indices seen so far."""
        known: np.ndarray = self._unknown == 0
        return known

    def knows(self, screen: np.ndarray, known: np.ndarray) -> bool:
        """Whether every index of a screen has been seen.

        Args:
            screen: uint8 [Y, X], contiguous, X a multiple of 8 as everywhere on the Atari 2600.
            known: a screen like it whose indices have all been seen: only what differs is looked
                at, which is little from one frame to the next.
        """
        # Eight pixels at a time: an eighth of the answers to go through.
        new, old = screen.reshape(-1).view(np.uint64), known.reshape(-1).view(np.uint64)
        pixels = new.take((new != old).nonzero()[0]).view(np.uint8)
        return not np.count_nonzero(self._unknown.take(pixels))

    def learn(self, screen: np.ndarray, rgb: np.ndarray, grey: np.ndarray) -> None:
        """Learn from one screen: uint8 [Y, X] indices, [Y, X, 3] colours, [Y, X] greys.

        Raises:
            ShapeError, DtypeError: the three do not belong together.
        """
        check_dtype("screen", screen, "uint8")
        check_shape("rgb", rgb, (*screen.shape, 3))
        check_shape("grey", grey, screen.shape)
        indices, where = np.unique(screen.ravel(), return_index=True)
        self.rgb[indices] = rgb.reshape(-1, 3)[where]
        self.grey[indices] = grey.ravel()[where]
        self._unknown[indices] = 0
        self.version += 1
