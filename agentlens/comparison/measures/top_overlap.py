"""Whether two agents' maps have their largest values at the same places."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.ranks import top_overlap
from agentlens.comparison.screen_maps import SharedMaps, flat


def overlap(shared: SharedMaps) -> np.ndarray:
    """Shared part of the 5 % of cells with the largest values: float64 [T] in [0, 1]."""
    return top_overlap(flat(shared.first_values), flat(shared.second_values))


MEASURE = Measure(
    key="top_overlap",
    heading="top 5 %",
    definition="Shared part of the 5 % of grid cells with the largest values; 5 % by chance.",
    unit="share",
    subject="maps",
    compute=overlap,
    order=130,
)
