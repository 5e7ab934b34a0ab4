"""How often both agents' most probable action is the same."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def greedy_agreement(shared: SharedStates) -> np.ndarray:
    """1 where the greedy actions are the same, else 0: float64 [T]."""
    same: np.ndarray = shared.first_outputs.greedy == shared.second_outputs.greedy
    return same.astype(np.float64)


MEASURE = Measure(
    key="greedy_agreement",
    heading="same greedy action",
    definition="Share of states in which both agents' most probable action is the same; actions "
    "that do the same in the game count as one.",
    unit="share",
    subject="actions",
    compute=greedy_agreement,
    order=10,
)
