"""Kullback-Leibler divergence between the action probabilities, in both directions."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates, divergence


def first_from_second(shared: SharedStates) -> np.ndarray | None:
    """KL(first || second): float64 [T]; None where the second lacks an action of the first."""
    p, q = shared.first_outputs.probabilities, shared.second_outputs.probabilities
    if p is None or q is None:
        return None
    lacking = shared.actions.allowed(0) & ~shared.actions.allowed(1)
    return None if lacking.any() else divergence(p, q)


MEASURE = Measure(
    key="divergence",
    heading="KL",
    definition="Kullback-Leibler divergence in nats, from the first agent to the second and from "
    "the second to the first: what is lost when one agent's action probabilities stand for the "
    "other's. 0 when equal, no upper end.",
    unit="nats",
    subject="actions",
    compute=first_from_second,
    order=40,
    columns=("kl_first_second", "kl_second_first"),
    each_against_other=True,
)
