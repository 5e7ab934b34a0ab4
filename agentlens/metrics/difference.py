"""Insertion less deletion, over two fills: what orders methods better than either alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._curves import area, deletion_curve, insertion_curve


@dataclass(frozen=True, kw_only=True)
class Difference(Metric):
    """Area of insertion less area of deletion, the mean over the fills.

    A map that puts first what supports the action gains in the one and loses in the other; what
    a fill does by itself cancels.

    Notes:
        34 forward passes a state and fill.

    References:
        Petsiuk et al. 2018 for the curves; their difference is our own choice.
    """

    summary: ClassVar[str] = "insertion less deletion, mean of two fills"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "probability, or Q"
    paper: ClassVar[str] = "after Petsiuk et al. 2018"
    weakness: ClassVar[str] = "near 0 wherever the policy wants the action whatever it sees"

    fills: tuple[str, ...] = ("median", "blur")
    """What replaces erased pixels."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The difference of each state; see ``Metric``."""
        gaps = [
            area(insertion_curve(sample, fill)) - area(deletion_curve(sample, fill))
            for fill in self.fills
        ]
        mean: np.ndarray = np.mean(gaps, axis=0)
        return mean


METRIC = Difference
