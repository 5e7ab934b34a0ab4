"""Curves of support while pixels go or come in a map's order.

Shape letters: F states, S shares, K planes, H W observation.
"""

from __future__ import annotations

import numpy as np

from agentlens.metrics._base import Sample
from agentlens.metrics._pixels import order

SHARES = np.concatenate([[0.0], np.linspace(0, 1, 17)[1:] ** 2])
"""Of the pixels, from none to all; closer together at the beginning, where maps differ."""


def deletion_curve(sample: Sample, fill: str) -> np.ndarray:
    """Support for the explained action with the first pixels of the map erased: float64 [F, S]."""
    return _curve(sample, fill, inserted=False)


def insertion_curve(sample: Sample, fill: str) -> np.ndarray:
    """Support with nothing but the first pixels of the map shown: float64 [F, S]."""
    return _curve(sample, fill, inserted=True)


def area(curves: np.ndarray) -> np.ndarray:
    """The mean height of curves over the share of pixels, by the trapezoid rule: float64 [F]."""
    heights = (curves[:, 1:] + curves[:, :-1]) / 2
    mean: np.ndarray = (heights * np.diff(SHARES)).sum(-1)
    return mean


def _curve(sample: Sample, fill: str, *, inserted: bool) -> np.ndarray:
    if (fill, inserted) in sample.curves:
        return sample.curves[fill, inserted]
    states, ranked = sample.states, order(sample.pixels)
    count, pixels = ranked.shape
    place = np.empty_like(ranked)
    np.put_along_axis(place, ranked, np.broadcast_to(np.arange(pixels), ranked.shape), axis=1)
    heights = np.zeros((count, len(SHARES)))
    rows = np.arange(count)
    shape = sample.pixels.shape
    for column, share in enumerate(SHARES):
        first = place < round(share * pixels)
        erased = ~first if inserted else first
        preferences = states.erase(erased.reshape(shape).astype(np.float32), rows, fill)
        heights[:, column] = states.support(preferences, rows)
    sample.curves[fill, inserted] = heights
    return heights
