"""Sparseness: how few places hold a map's mass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import gini


@dataclass(frozen=True, kw_only=True)
class Sparseness(Metric):
    """Gini index of a map's absolute values: 0 all alike, near 1 all in one place.

    Notes:
        No forward pass.

    References:
        Chalasani et al. 2020, section 3. Deviation: on the map's own grid.
    """

    summary: ClassVar[str] = "how few places hold the map's mass (Gini)"
    better: ClassVar[Direction] = "neither"
    unit: ClassVar[str] = "0 to 1"
    paper: ClassVar[str] = "Chalasani et al. 2020"
    weakness: ClassVar[str] = "a sparse map may be wrong, and a right one broad"

    def __call__(self, sample: Sample) -> np.ndarray:
        """The index of each state; see ``Metric``."""
        return gini(sample.maps)


METRIC = Sparseness
