"""How often two actions drawn from the same agent would be equal."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def self_agreement(shared: SharedStates) -> np.ndarray | None:
    """Sum of p^2 of the first agent: float64 [T]; None without probabilities."""
    p = shared.first_outputs.probabilities
    return None if p is None else np.sum(p * p, axis=1)


MEASURE = Measure(
    key="self_agreement",
    heading="same action as itself",
    definition="How often two actions drawn from the same agent would be equal (sum of p "
    "squared): what 'same sampled action' reaches for equal policies.",
    unit="share",
    subject="actions",
    compute=self_agreement,
    order=30,
    columns=("first_self", "second_self"),
)
