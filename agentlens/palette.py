"""Colours behind palette indices, learned from pairs of screens; exact or an error.

No emulator here has a call for its palette, and it differs between cartridges (NTSC, PAL); but a
screen can be had as indices and as RGB, so every index seen is known exactly.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from agentlens.arrays import check_dtype, check_shape
from agentlens.errors import Corrupt, InvalidArgument, ManifestError


class Palette:
    """What is known of the 256 entries.

    Attributes:
        rgb: uint8 [256, 3]; zeros where not yet seen.
        grey: uint8 [256], the emulator's own grey (not a fixed function of ``rgb``); zeros where
            it was never given.
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
            screen: uint8 [Y, X], contiguous, of a multiple of 8 pixels.
            known: a screen like it whose indices have all been seen: only what differs is looked
                at, which is little from one frame to the next.
        """
        # Eight pixels at a time: an eighth of the answers to go through.
        new, old = screen.reshape(-1).view(np.uint64), known.reshape(-1).view(np.uint64)
        pixels = new.take((new != old).nonzero()[0]).view(np.uint8)
        return not np.count_nonzero(self._unknown.take(pixels))

    def learn(self, indices: np.ndarray, rgb: np.ndarray, grey: np.ndarray | None = None) -> bool:
        """Learn from one screen; true if something was new.

        Args:
            indices: uint8 [Y, X].
            rgb: uint8 [Y, X, 3], the same screen in colour.
            grey: uint8 [Y, X], the same screen in the emulator's own grey, where it has one.

        Raises:
            ShapeError, DtypeError: the pictures do not belong together.
            InvalidArgument: an index has two colours.
        """
        check_dtype("indices", indices, "uint8")
        check_shape("indices", indices, (None, None))
        if not np.take(self._unknown, indices).any():
            return False
        check_dtype("rgb", rgb, "uint8")
        check_shape("rgb", rgb, (*indices.shape, 3))
        values, first = np.unique(indices, return_index=True)
        new = self._unknown[values] != 0
        colours = self.rgb.copy()
        colours[values[new]] = rgb.reshape(-1, 3)[first[new]]
        wrong = (colours[indices] != rgb).any(axis=-1)
        if wrong.any():
            index = int(indices[wrong][0])
            raise InvalidArgument(
                f"palette index {index} is {tuple(colours[index].tolist())} and "
                f"{tuple(rgb[wrong][0].tolist())}: expected one colour."
            )
        if grey is not None:
            check_shape("grey", grey, indices.shape)
            self.grey[values[new]] = grey.ravel()[first[new]]
        self.rgb[values[new]] = colours[values[new]]
        self._unknown[values] = 0
        self.version += 1
        return True

    def to_rgb(self, indices: np.ndarray) -> np.ndarray:
        """Colours of palette screens: uint8 [..., Y, X] to uint8 [..., Y, X, 3].

        Raises:
            Corrupt: an index whose colour was never learned.
        """
        unknown = np.take(self._unknown, indices)
        if unknown.any():
            index = int(indices[unknown != 0][0])
            raise Corrupt(
                f"palette index {index} stands on a screen, but its colour was never learned; "
                "record the episode again."
            )
        rgb: np.ndarray = np.take(self.rgb, indices, axis=0)
        return rgb

    def encode(self) -> list[str | None]:
        """256 entries like "ff8000", or None where unknown."""
        return [
            bytes(colour).hex() if known else None
            for colour, known in zip(self.rgb, self.known, strict=True)
        ]

    @classmethod
    def decode(cls, entries: Any) -> Palette:
        """Read what ``encode`` wrote.

        Raises:
            ManifestError: not 256 colours.
        """
        palette = cls()
        if not isinstance(entries, list) or len(entries) != 256:
            raise ManifestError("palette: expected a list of 256 entries.")
        for index, entry in enumerate(entries):
            if entry is None:
                continue
            if not isinstance(entry, str) or re.fullmatch("[0-9a-f]{6}", entry) is None:
                raise ManifestError(
                    f"palette: entry {index} is {entry!r}, expected six hexadecimal digits."
                )
            palette.rgb[index] = np.frombuffer(bytes.fromhex(entry), np.uint8)
            palette._unknown[index] = 0
        palette.version = 1
        return palette
