"""How undecided each agent is."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def entropy(shared: SharedStates) -> np.ndarray | None:
    """Of the first agent's action probabilities, in nats: float64 [T]; 0 log 0 is 0."""
    p = shared.first_outputs.probabilities
    if p is None:
        return None
    undecided: np.ndarray = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1)
    return undecided


MEASURE = Measure(
    key="entropy",
    heading="entropy",
    definition="Entropy of each agent's action probabilities, in nats: 0 certain; the logarithm "
    "of the number of actions undecided.",
    unit="nats",
    subject="actions",
    compute=entropy,
    order=80,
    columns=("first_entropy", "second_entropy"),
)
