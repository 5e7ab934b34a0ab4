"""The colours behind palette indices, learned from pairs of screens; exact or an error."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from agentlens.arrays import check_dtype, check_shape
from agentlens.errors import Corrupt, InvalidArgument, ManifestError


class Palette:
    """What is known of the 256 entries.

    ``colours``: uint8 [256, 3], zeros where unknown. ``known``: bool [256].
    """

    def __init__(self) -> None:
        self.colours = np.zeros((256, 3), np.uint8)
        self.known = np.zeros(256, bool)

    def learn(self, indices: np.ndarray, rgb: np.ndarray) -> bool:
        """Learn from one screen: uint8 [Y, X] and uint8 [Y, X, 3]; true if something was new.

        Raises:
            ShapeError, DtypeError: not a pair of screens.
            InvalidArgument: an index has two colours.
        """
        check_dtype("indices", indices, "uint8")
        check_shape("indices", indices, (None, None))
        if np.take(self.known, indices).all():
            return False
        check_dtype("rgb", rgb, "uint8")
        check_shape("rgb", rgb, (*indices.shape, 3))
        colours, known = self.colours.copy(), self.known.copy()
        found, first = np.unique(indices, return_index=True)
        new = ~known[found]
        colours[found[new]] = rgb.reshape(-1, 3)[first[new]]
        known[found] = True
        wrong = (colours[indices] != rgb).any(axis=-1)
        if wrong.any():
            index = int(indices[wrong][0])
            raise InvalidArgument(
                f"palette index {index} is {tuple(colours[index].tolist())} and "
                f"{tuple(rgb[wrong][0].tolist())}: expected one colour."
            )
        self.colours, self.known = colours, known
        return True

    def to_rgb(self, indices: np.ndarray) -> np.ndarray:
        """Colours of palette screens: uint8 [..., Y, X] to uint8 [..., Y, X, 3].

        Raises:
            Corrupt: an index whose colour was never learned.
        """
        if not self.known.all():
            known = np.take(self.known, indices)
            if not known.all():
                index = int(indices[~known][0])
                raise Corrupt(
                    f"palette index {index} stands on a screen, but its colour was never learned; "
                    "record the episode again."
                )
        rgb: np.ndarray = np.take(self.colours, indices, axis=0)
        return rgb

    def encode(self) -> list[str | None]:
        """256 entries like "ff8000", or None where unknown."""
        return [
            bytes(colour).hex() if known else None
            for colour, known in zip(self.colours, self.known, strict=True)
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
            palette.colours[index] = np.frombuffer(bytes.fromhex(entry), np.uint8)
            palette.known[index] = True
        return palette
