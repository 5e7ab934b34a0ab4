"""Top-region effect: what erasing the map's first pixels does, against as many at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._pixels import top_pixels


@dataclass(frozen=True, kw_only=True)
class TopRegion(Metric):
    """Effect of erasing the map's top pixels, less the mean effect of the same shape elsewhere.

    The shape is moved to random places round the edges, so that both erase as many pixels in the
    same arrangement. The effect is the KL divergence in nats of the policy's choice, for Q-values
    the change of the advantages.

    Notes:
        1 + ``draws`` forward passes a state.

    References:
        Our own; the comparison that Atrey et al. 2020 ask for.
    """

    summary: ClassVar[str] = "effect of erasing the map's top 5 %, less that of 5 % at random"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "nats, or Q"
    paper: ClassVar[str] = "after Atrey et al. 2020"
    weakness: ClassVar[str] = "a broad map scores low although its peak may be right"

    share: float = 0.05
    """Of the observation's pixels."""
    draws: int = 4
    """Random places."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The difference in each state; see ``Metric``."""
        states, top = sample.states, top_pixels(sample.pixels, self.share)
        rows = np.arange(len(sample))
        own = states.effect(states.erase(top, rows), rows)
        generator = np.random.default_rng(sample.seed)
        elsewhere = np.zeros(len(sample))
        for _ in range(self.draws):
            moved = np.stack([_moved(mask, generator) for mask in top])
            elsewhere += states.effect(states.erase(moved, rows), rows) / self.draws
        return own - elsewhere


def _moved(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    shift = [int(generator.integers(size)) for size in mask.shape]
    moved: np.ndarray = np.roll(mask, shift, axis=(0, 1))
    return moved


METRIC = TopRegion
