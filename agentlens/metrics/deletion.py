"""Deletion: how fast support for the action falls as the map's first pixels are erased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._curves import area, deletion_curve


@dataclass(frozen=True, kw_only=True)
class Deletion(Metric):
    """Area under the support for the explained action while pixels go, the map's first ones first.

    All planes lose a pixel together. Support is the action's probability for logits, and its
    advantage Q(a) - mean Q for Q-values, never divided by a Q.

    Notes:
        17 forward passes a state.

    References:
        Petsiuk et al. 2018 (RISE), section 4.1. Deviations: trapezoid over unequal shares of the
        pixels; Q-values by advantage.
    """

    summary: ClassVar[str] = "support left while the map's first pixels are erased (area)"
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "probability, or Q"
    paper: ClassVar[str] = "Petsiuk et al. 2018"
    weakness: ClassVar[str] = "erased pictures are ones that the policy never saw"

    fill: str = "median"
    """What replaces erased pixels: median or blur (sigma 8)."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The area of each state; see ``Metric``."""
        return area(deletion_curve(sample, self.fill))


METRIC = Deletion
