"""How alike maps of different moments are: what the game's fixed layout alone gives."""

from __future__ import annotations

import numpy as np

from agentlens.comparison.measure import Measure
from agentlens.comparison.ranks import spearman
from agentlens.comparison.screen_maps import SharedMaps, flat


def other_moments(shared: SharedMaps) -> np.ndarray | None:
    """Spearman of the first agent's map with the second's half of all states later: float64 [T].

    None for a single state. After the last state comes the first one again.
    """
    count = len(shared.first_values)
    if count < 2:
        return None
    later = np.roll(flat(shared.second_values), count // 2, axis=0)
    return spearman(flat(shared.first_values), later)


MEASURE = Measure(
    key="elsewhere",
    heading="other moments",
    definition="Rank correlation of one agent's map with the other's at another moment: what the "
    "game's fixed layout alone gives.",
    unit="correlation",
    subject="maps",
    compute=other_moments,
    order=140,
)
