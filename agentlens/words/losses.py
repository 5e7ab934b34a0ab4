"""Which decisions of a game lose something: a point, or a life."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Played(Protocol):
    """What is read of an episode; see ``Episode``."""

    @property
    def rewards(self) -> np.ndarray:
        """float [T], raw."""

    @property
    def lives(self) -> np.ndarray:
        """int [T], before each decision."""

    @property
    def terminated(self) -> np.ndarray:
        """bool [T]."""


def losing_decisions(episode: Played) -> np.ndarray:
    """The decisions in which a point or a life is lost: bool [T].

    A life is lost where the next decision has fewer; the last one where the game ends with one
    left, as no decision follows that could tell.
    """
    lives = np.asarray(episode.lives, np.int64)
    last = lives[-1:] - ((lives[-1:] == 1) & episode.terminated[-1:])
    losing: np.ndarray = (episode.rewards < 0) | (np.diff(lives, append=last) < 0)
    return losing
