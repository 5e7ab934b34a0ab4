"""Insertion: how fast support for the action comes back as the map's first pixels are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._curves import area, insertion_curve


@dataclass(frozen=True, kw_only=True)
class Insertion(Metric):
    """Area under the support for the explained action while pixels come, the map's first first.

    Notes:
        17 forward passes a state.

    References:
        Petsiuk et al. 2018 (RISE), section 4.1. Deviations: as ``Deletion``.
    """

    summary: ClassVar[str] = "support regained while the map's first pixels are shown (area)"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "probability, or Q"
    paper: ClassVar[str] = "Petsiuk et al. 2018"
    weakness: ClassVar[str] = "favours large moving things; on noise it tells no methods apart"

    fill: str = "median"
    """What pixels that are not shown hold: median, blur (sigma 8) or noise."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The area of each state; see ``Metric``."""
        return area(insertion_curve(sample, self.fill))


METRIC = Insertion
