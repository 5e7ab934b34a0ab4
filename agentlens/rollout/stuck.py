"""Games that go round in circles: greedy agents loop for ever in some."""

from __future__ import annotations

import zlib

import numpy as np

SEEN_PLANES = 65_536
"""Planes remembered before the detector starts afresh: its memory is bounded."""


class StuckDetector:
    """Notices that only planes already seen came for many decisions without progress."""

    def __init__(self, after: int) -> None:
        """``after``: decisions in a row with nothing new, 0 for never."""
        self._after = after
        self.begin()

    def begin(self) -> None:
        """Forget everything: a new episode."""
        self._seen: set[int] = set()
        self._nothing_new = 0

    def see(self, plane: np.ndarray, *, progress: bool) -> bool:
        """Take in a decision's newest plane; whether the game is stuck.

        Args:
            plane: [H, W].
            progress: a reward or a change of lives came with it.
        """
        if not self._after:
            return False
        if progress or len(self._seen) >= SEEN_PLANES:
            self.begin()
        digest = zlib.crc32(np.ascontiguousarray(plane).data)
        self._nothing_new = self._nothing_new + 1 if digest in self._seen else 0
        self._seen.add(digest)
        return self._nothing_new >= self._after
