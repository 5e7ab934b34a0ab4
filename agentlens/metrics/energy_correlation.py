"""Energy correlation: how much of a map is the input's own change, without any agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import spearman
from agentlens.saliency.masks import gaussian_operator


@dataclass(frozen=True, kw_only=True)
class EnergyCorrelation(Metric):
    """Spearman correlation of a map with the energy that its reference takes out of the input.

    The energy is the squared difference between the observation and the reference, summed over
    planes and smoothed as wide as the usual masks: it is the same for every agent.

    Notes:
        No forward pass.

    References:
        Our own; prompted by maps of Greydanus et al. 2018, which it reaches at .5 to .98.
    """

    summary: ClassVar[str] = "agreement with the agent-free energy of the input (Spearman)"
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "-"
    weakness: ClassVar[str] = "an agent may well look where the picture changes"

    fill: str = "blur"
    """What the energy is measured against: blur or median."""
    radius: float = 5.0
    """Smoothing in observation pixels."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        observations = sample.states.frames.observations
        change = (sample.states.fill(self.fill) - observations).square().sum(1)
        height, width = change.shape[-2:]
        rows = gaussian_operator(height, self.radius)
        columns = gaussian_operator(width, self.radius)
        smooth = rows @ change.double().cpu().numpy() @ columns.T
        at = [np.rint(centres).astype(int) for centres in (sample.grid.rows, sample.grid.columns)]
        return spearman(sample.maps, smooth[:, at[0]][:, :, at[1]])


METRIC = EnergyCorrelation
