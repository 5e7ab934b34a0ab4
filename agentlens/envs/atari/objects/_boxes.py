"""Boxes around labelled pixels, and how well the boxes of RAM agree with them.

Shape letters: T steps, N objects, Y X screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_shape
from agentlens.envs.atari.objects._facts import ObjectFact
from agentlens.envs.atari.objects._finders import FactFinder, ObjectFinder

TOLERANCE_PX = 1
"""A box of RAM agrees with the pixels where no edge is off by more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Boxes:
    """The objects of T steps.

    ``edges``: int16 [T, N, 4], (top, bottom, left, right), ends excluded: around the object's
    pixels where it is drawn, else as RAM has it. ``present``: bool [T, N], in the game.
    ``drawn``: bool [T, N], with a pixel on this screen; sprites that blink are present and not
    drawn on some. ``pixels``: int32 [T, N], how many.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    edges: np.ndarray
    present: np.ndarray
    drawn: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.edges)


@dataclass(frozen=True, kw_only=True)
class BoxCheck:
    """How often the box of RAM agrees with the pixels: ``share`` of ``count`` drawn steps."""

    name: str
    share: float
    count: int


def boxes_of(screens: np.ndarray, ram: np.ndarray, finder: ObjectFinder) -> Boxes:
    """The boxes of some steps.

    Args:
        screens: uint8 [T, Y, X] palette indices.
        ram: uint8 [T, 128].
        finder: of the game.

    Raises:
        ShapeError: screens and RAM of different steps.
    """
    check_shape("ram", ram, (len(screens), 128))
    count = len(finder.names)
    edges = np.zeros((len(screens), count, 4), np.int16)
    pixels = np.zeros((len(screens), count), np.int32)
    present = np.zeros((len(screens), count), np.bool_)
    if isinstance(finder, FactFinder):
        for index, fact in enumerate(finder.facts.objects):
            edges[:, index] = fact.nominal(ram)
            present[:, index] = fact.is_present(ram)
    for step, screen in enumerate(screens):
        labels = finder.labels(screen, ram[step])
        counts = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        pixels[step] = counts
        for seen in np.flatnonzero(counts).tolist():
            edges[step, seen] = bounding_box(labels == seen + 1)
    drawn = pixels > 0
    return Boxes(
        names=finder.names,
        groups=finder.groups,
        edges=edges,
        present=present | drawn,
        drawn=drawn,
        pixels=pixels,
    )


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(top, bottom, left, right), ends excluded, of the true pixels of a mask that has some."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def check_boxes(ram: np.ndarray, boxes: Boxes, finder: FactFinder) -> tuple[BoxCheck, ...]:
    """Compare the boxes of RAM with the pixels, for every object with a byte for its place.

    A rigid object agrees where all four edges are within a pixel; one that changes its pose,
    where its pixels reach at most a pixel beyond its box. Steps in which another object stands in
    the searched surroundings are left out: there it is not known whose pixels they are.

    Args:
        ram: uint8 [T, 128].
        boxes: of ``boxes_of`` with the same finder.
    """
    checks = []
    for index, fact in enumerate(finder.facts.objects):
        if isinstance(fact.x, int) and isinstance(fact.y, int):
            continue
        steps = np.flatnonzero(boxes.drawn[:, index] & ~_crowded(boxes, index, fact))
        nominal = fact.nominal(ram[steps])
        off = boxes.edges[steps, index].astype(np.int64) - nominal
        if not fact.rigid:
            off = off * np.array([-1, 1, -1, 1])
            off = off.clip(0)
        good = (np.abs(off) <= TOLERANCE_PX).all(1)
        checks.append(
            BoxCheck(
                name=fact.name, share=float(good.mean()) if len(steps) else 1.0, count=len(steps)
            )
        )
    return tuple(checks)


def _crowded(boxes: Boxes, index: int, fact: ObjectFact) -> np.ndarray:
    """Where another drawn object comes within twice the reach: bool [T]."""
    own, by = boxes.edges[:, index].astype(np.int64), 2 * fact.reach
    crowded = np.zeros(len(boxes), np.bool_)
    for other in range(len(boxes.names)):
        if other == index:
            continue
        box = boxes.edges[:, other].astype(np.int64)
        near = (
            (box[:, 0] < own[:, 1] + by)
            & (box[:, 1] > own[:, 0] - by)
            & (box[:, 2] < own[:, 3] + by)
            & (box[:, 3] > own[:, 2] - by)
        )
        crowded |= near & boxes.drawn[:, other]
    return crowded
