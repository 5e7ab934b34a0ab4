"""How far each agent's map is what the perturbation does to the picture."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.ranks import spearman
from agentlens.comparison.screen_maps import SharedMaps, flat


def with_energy(shared: SharedMaps) -> np.ndarray | None:
    """Spearman of the first agent's map with its energy map: float64 [T]; None without one."""
    if shared.first_energy is None:
        return None
    return spearman(flat(shared.first_values), flat(shared.first_energy))


MEASURE = Measure(
    key="energy",
    heading="with its energy",
    definition="Rank correlation of an agent's map with its own energy map: near 1, the map says "
    "little about the agent.",
    unit="correlation",
    subject="maps",
    compute=with_energy,
    order=150,
    columns=("first_energy", "second_energy"),
)
