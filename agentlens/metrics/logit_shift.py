"""Logit-shift invariance: a number added to all logits changes no choice, nor may it a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import spearman
from agentlens.metrics._twins import ShiftedLogits


@dataclass(frozen=True, kw_only=True)
class LogitShift(Metric):
    """Spearman correlation of a map with that of a twin whose logits are all shifted alike.

    The shift depends on the observation's mean, so that whatever hides a pixel moves it; the
    softmax, and so every choice, is the same. For Q-values such a shift is no symmetry and there
    is no number.

    Notes:
        The method's own cost once a state, by the batched engine.

    References:
        Our own; half-squared logit changes count such shifts for 29 to 85 % of their scores.
    """

    summary: ClassVar[str] = "agreement with the map of a twin with all logits shifted (Spearman)"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "-"
    weakness: ClassVar[str] = "tells nothing about whether a map that passes is right"
    needs_maps: ClassVar[bool] = True

    factor: float = 40.0
    """Shift of the logits for an observation of mean 1."""
    states: int = 6
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        part = sample.some(self.states)
        if part.states.policy.kind != "logits":
            return np.full(len(part), np.nan)
        twin = ShiftedLogits(part.states.policy, self.factor)
        return spearman(part.maps, part.again(twin))


METRIC = LogitShift
