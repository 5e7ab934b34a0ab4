"""Edge correlation: how much a map looks like an edge detector's picture of the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._edges import edge_maps
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._ranks import spearman


@dataclass(frozen=True, kw_only=True)
class EdgeCorrelation(Metric):
    """Spearman correlation of a map with the gradient magnitude of the newest frame.

    Notes:
        No forward pass.

    References:
        Adebayo et al. 2018, section 4, compare with an edge detector by eye; the number is ours.
    """

    summary: ClassVar[str] = "agreement with an edge detector's picture (Spearman)"
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "after Adebayo et al. 2018"
    weakness: ClassVar[str] = "objects have edges: a right map is not without it"

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        channels = sample.states.policy.channels
        edges = to_pixels(*edge_maps(sample.states.frames.observations, channels))
        at = [np.rint(centres).astype(int) for centres in (sample.grid.rows, sample.grid.columns)]
        return spearman(sample.maps, edges[:, at[0]][:, :, at[1]])


METRIC = EdgeCorrelation
