"""How far apart the action probabilities are."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def total_variation(shared: SharedStates) -> np.ndarray | None:
    """Half the sum of |p_A - p_B|: float64 [T]; None without probabilities."""
    p, q = shared.first_outputs.probabilities, shared.second_outputs.probabilities
    return None if p is None or q is None else np.abs(p - q).sum(axis=1) / 2


MEASURE = Measure(
    key="total_variation",
    heading="total variation",
    definition="Half the sum of absolute differences of the action probabilities: 0 equal, 1 "
    "nothing in common.",
    unit="0 to 1",
    subject="actions",
    compute=total_variation,
    order=50,
)
