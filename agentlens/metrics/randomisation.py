"""Randomisation of the output layer: a map of what was learned must change when that is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._memory import with_own_memory
from agentlens.metrics._randomised import cascade
from agentlens.metrics._ranks import spearman


@dataclass(frozen=True, kw_only=True)
class Randomisation(Metric):
    """Spearman correlation of a map with the map of a policy whose output layer is drawn anew.

    Signed, on the map's own grid, without a maximum over the map and its inverse; the mean over
    the draws. A recurrent policy's memory is run along.

    Notes:
        The method's own cost once a draw and state.

    References:
        Adebayo et al. 2018, section 3.1. Deviations: no absolute values, several draws.
    """

    summary: ClassVar[str] = (
        "agreement with the map after the output layer is drawn anew (Spearman)"
    )
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "Adebayo et al. 2018"
    weakness: ClassVar[str] = "a map that follows the input stays high: read it beside energy"
    needs_maps: ClassVar[bool] = True

    draws: int = 2
    """Independent draws of the layer."""
    states: int = 12
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        part = sample.some(self.states)
        values = []
        for draw in range(self.draws):
            policy = next(cascade(part.states.policy, part.seed + draw))
            frames = with_own_memory(policy, part.states.frames)
            values.append(spearman(part.maps, part.again(policy, frames)))
        mean: np.ndarray = np.mean(values, axis=0)
        return mean


METRIC = Randomisation
