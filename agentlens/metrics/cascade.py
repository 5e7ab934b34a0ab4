"""Randomisation cascade: ever more layers forget, from the output down to the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._memory import with_own_memory
from agentlens.metrics._randomised import cascade
from agentlens.metrics._ranks import spearman, structural_similarity


@dataclass(frozen=True, kw_only=True)
class Cascade(Metric):
    """Mean agreement of a map with its maps by the policy with 1, 2, ... all layers drawn anew.

    Notes:
        The method's own cost once a layer, draw and state.

    References:
        Adebayo et al. 2018, section 3.1. Deviations: one number for the whole cascade, SSIM in
        two dimensions on the map's own grid.
    """

    summary: ClassVar[str] = "mean agreement over the cascade of layers drawn anew (Spearman)"
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "Adebayo et al. 2018"
    weakness: ClassVar[str] = "the floor of maps that follow the input is about .5, not 0"
    needs_maps: ClassVar[bool] = True

    similarity: str = "spearman"
    """spearman, or ssim in two dimensions."""
    draws: int = 1
    """Independent cascades."""
    states: int = 6
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The mean over layers and draws in each state; see ``Metric``."""
        part, compare = sample.some(self.states), spearman
        if self.similarity == "ssim":
            compare = structural_similarity
        values = []
        for draw in range(self.draws):
            for policy in cascade(part.states.policy, part.seed + draw):
                frames = with_own_memory(policy, part.states.frames)
                values.append(compare(part.maps, part.again(policy, frames)))
        mean: np.ndarray = np.mean(values, axis=0)
        return mean


METRIC = Cascade
