"""Whether two agents' maps rank the places of the screen alike."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.ranks import spearman
from agentlens.comparison.screen_maps import SharedMaps, flat


def rank_correlation(shared: SharedMaps) -> np.ndarray:
    """Spearman over the grid: float64 [T] in [-1, 1]; NaN where a map is constant."""
    return spearman(flat(shared.first_values), flat(shared.second_values))


MEASURE = Measure(
    key="spearman",
    heading="rank correlation",
    definition="Spearman correlation of the two saliency maps over the screen grid, by state, then "
    "averaged.",
    unit="correlation",
    subject="maps",
    compute=rank_correlation,
    order=110,
)
