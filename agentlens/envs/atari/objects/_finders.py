"""Which pixels of a screen belong to which object.

Shape letters: Y X screen, N objects. A label picture is uint8 [Y, X]: 0 for none, else 1 + the
object's place in ``names``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from agentlens.envs.atari.objects._facts import Box, GameObjects

_LARGEST_COUNT = 6
_NAMED_COLOURS = {
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (236, 236, 236),
    "red": (190, 50, 50),
    "orange": (210, 120, 50),
    "yellow": (210, 200, 70),
    "green": (80, 170, 80),
    "cyan": (80, 190, 180),
    "blue": (60, 80, 200),
    "purple": (140, 60, 190),
    "pink": (225, 110, 150),
    "brown": (120, 80, 20),
}


class ObjectFinder(Protocol):
    """Labels pixels of screens; what moved in a frame is found in the screen before it, too."""

    @property
    def names(self) -> tuple[str, ...]:
        """The objects."""

    @property
    def groups(self) -> tuple[str, ...]:
        """What each object counts as in shares and sentences."""

    def labels(self, screen: np.ndarray, ram: np.ndarray) -> np.ndarray:
        """Label the pixels of a screen.

        Args:
            screen: uint8 [Y, X] palette indices.
            ram: uint8 [128] at that moment or some frames from it.

        Returns:
            uint8 [Y, X].
        """


class FactFinder:
    """Goes by a game's facts: the object's colours inside and around the box that RAM gives.

    A pixel that two objects could claim is the one's whose RAM box holds it, or else the one's
    that comes first in the facts.
    """

    def __init__(self, facts: GameObjects) -> None:
        self.facts = facts
        self.names = tuple(fact.name for fact in facts.objects)
        self.groups = tuple(fact.group or fact.name for fact in facts.objects)
        self._colours = [fact.own_colours for fact in facts.objects]

    def labels(self, screen: np.ndarray, ram: np.ndarray) -> np.ndarray:
        """See ``ObjectFinder``."""
        labels = np.zeros(screen.shape, np.uint8)
        present = []
        for index, fact in enumerate(self.facts.objects):
            box = fact.area if fact.alone else fact.box_at(ram)
            if box is not None:
                present.append((index, box))
                self._claim(labels, screen, index, box)
        for index, box in present:
            fact = self.facts.objects[index]
            if fact.reach and not fact.alone:
                self._claim(labels, screen, index, _grown(box, fact.reach, fact.area))
        return labels

    def _claim(self, labels: np.ndarray, screen: np.ndarray, index: int, box: Box) -> None:
        window = np.s_[box[0] : box[1], box[2] : box[3]]
        free = (labels[window] == 0) & self._colours[index][screen[window]]
        labels[window][free] = index + 1


def _grown(box: Box, by: int, area: Box) -> Box:
    return (
        max(box[0] - by, area[0]),
        min(box[1] + by, area[1]),
        max(box[2] - by, area[2]),
        min(box[3] + by, area[3]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ColourFinder:
    """Stands in where a game has no facts: what differs from the background, by its colour.

    ``background``: uint8 [Y, X] palette indices. ``object_of``: uint8 [256], the label of each
    palette index. ``names``: by colour and usual size.
    """

    names: tuple[str, ...]
    background: np.ndarray
    object_of: np.ndarray

    @property
    def groups(self) -> tuple[str, ...]:
        """The objects themselves."""
        return self.names

    def labels(self, screen: np.ndarray, ram: np.ndarray) -> np.ndarray:
        """See ``ObjectFinder``; ``ram`` is not looked at."""
        labels: np.ndarray = np.where(screen != self.background, self.object_of[screen], 0)
        return labels


def colour_finder(
    screens: np.ndarray, background: np.ndarray, palette: np.ndarray, sizes: Sequence[str] = ()
) -> ColourFinder:
    """A finder by colour, for the colours that differ most often from the background.

    Args:
        screens: uint8 [n, Y, X], samples of the game.
        background: uint8 [Y, X].
        palette: uint8 [256, 3].
        sizes: one text an object after its colour, such as "4 x 16"; none leaves them out.

    Notes:
        The seven commonest colours are objects; all others are one more, "other colours".
    """
    differing = screens[screens != background]
    counts = np.bincount(differing, minlength=256)
    commonest = [int(i) for i in np.argsort(-counts, kind="stable")[:_LARGEST_COUNT] if counts[i]]
    names = [_colour_name(palette[index]) for index in commonest]
    names = [f"{name} {size}" for name, size in zip(names, sizes, strict=True)] if sizes else names
    unique = [
        name if names.count(name) == 1 else f"{name} ({commonest[place]})"
        for place, name in enumerate(names)
    ]
    object_of = np.zeros(256, np.uint8)
    object_of[counts > 0] = len(unique) + 1
    for place, index in enumerate(commonest):
        object_of[index] = place + 1
    if np.count_nonzero(counts) > len(unique):
        unique.append("other colours")
    return ColourFinder(names=tuple(unique), background=background, object_of=object_of)


def _colour_name(rgb: np.ndarray) -> str:
    distances = {
        name: float(np.abs(np.array(colour) - rgb.astype(float)).sum())
        for name, colour in _NAMED_COLOURS.items()
    }
    return min(distances, key=lambda name: distances[name])
