"""How often actions drawn from both agents would be equal."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def sampled_agreement(shared: SharedStates) -> np.ndarray | None:
    """Sum of p_A p_B: float64 [T]; None without probabilities."""
    p, q = shared.first_outputs.probabilities, shared.second_outputs.probabilities
    return None if p is None or q is None else np.sum(p * q, axis=1)


MEASURE = Measure(
    key="sampled_agreement",
    heading="same sampled action",
    definition="How often actions drawn from both agents would be equal (sum of p_A p_B). Read it "
    "beside each agent with itself.",
    unit="share",
    subject="actions",
    compute=sampled_agreement,
    order=20,
)
