"""Stability: a little noise that hardly moves the policy must hardly move the map."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import spearman


@dataclass(frozen=True, kw_only=True)
class Stability(Metric):
    """Spearman correlation of a map with the map of the same state under a little noise.

    Notes:
        The method's own cost once a state.

    References:
        Yeh et al. 2019 (max-sensitivity). Deviations: rank correlation instead of a norm, one
        draw instead of the worst of several.
    """

    summary: ClassVar[str] = "agreement with the map under a little noise (Spearman)"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "after Yeh et al. 2019"
    weakness: ClassVar[str] = "a map that never changes is perfectly stable"
    needs_maps: ClassVar[bool] = True

    size: float = 0.01
    """Standard deviation of the noise, as a share of the observation's range."""
    states: int = 6
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        part = sample.some(self.states)
        frames = part.states.frames
        clean = frames.observations
        spread = float(clean.max() - clean.min()) * self.size
        noise = np.random.default_rng(part.seed).normal(0.0, spread, tuple(clean.shape))
        noisy = dataclasses.replace(
            frames, observations=clean + clean.new_tensor(noise.astype(np.float32))
        )
        return spearman(part.maps, part.again(part.states.policy, noisy))


METRIC = Stability
