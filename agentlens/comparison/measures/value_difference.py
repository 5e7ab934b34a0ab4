"""How much more one critic hopes for than the other."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def value_difference(shared: SharedStates) -> np.ndarray | None:
    """The first agent's value minus the second's: float64 [T]; None without a critic."""
    first, second = shared.first_outputs.values, shared.second_outputs.values
    return None if first is None or second is None else first - second


MEASURE = Measure(
    key="value_difference",
    heading="value difference",
    definition="Mean of the first critic's value minus the second's; comparable only where both "
    "were trained on the same rewards and gamma.",
    unit="value units",
    subject="actions",
    compute=value_difference,
    order=70,
    on_page=False,
)
