"""Whether both critics rise and fall together."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.outputs import SharedStates


def both_values(shared: SharedStates) -> np.ndarray | None:
    """The two critics' values: float64 [T, 2]; None without a critic."""
    first, second = shared.first_outputs.values, shared.second_outputs.values
    return None if first is None or second is None else np.stack([first, second], axis=1)


MEASURE = Measure(
    key="value_correlation",
    heading="value correlation",
    definition="Pearson correlation of the two critics' values over states (for a Q-network the "
    "largest Q-value).",
    unit="correlation",
    subject="actions",
    compute=both_values,
    order=60,
)
