"""Sensitivity-n: does the map's sum over a set of places predict what erasing the set does?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import pearson


@dataclass(frozen=True, kw_only=True)
class SensitivityN(Metric):
    """Correlation, over random sets of n regions, of the map's mass there and the sets' effect.

    Notes:
        ``sets`` forward passes a state.

    References:
        Ancona et al. 2018, definition 1. Deviations: regions of a coarse grid instead of pixels;
        the effect is the policy's change (KL, or the advantages) instead of one output's.
    """

    summary: ClassVar[str] = "the map's sum over sets of regions against the sets' effect (Pearson)"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "Ancona et al. 2018"
    weakness: ClassVar[str] = "presumes that effects add up, which KL does only roughly"

    n: int = 5
    """Regions in a set, of 49."""
    sets: int = 24
    """Random sets a state."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        states, blocks = sample.states, sample.states.blocks
        generator = np.random.default_rng(sample.seed)
        chosen = np.stack([generator.permutation(len(blocks))[: self.n] for _ in range(self.sets)])
        masks = blocks[chosen].sum(1)
        rows = np.repeat(np.arange(len(sample)), self.sets)
        tiled = np.broadcast_to(masks, (len(sample), *masks.shape)).reshape(-1, *masks.shape[1:])
        effects = states.effect(states.erase(tiled, rows), rows).reshape(len(sample), -1)
        mass = np.tensordot(sample.pixels, masks, axes=([1, 2], [1, 2]))
        return pearson(mass, effects)


METRIC = SensitivityN
