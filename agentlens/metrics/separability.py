"""Separability: maps of two different actions must differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import spearman


@dataclass(frozen=True, kw_only=True)
class Separability(Metric):
    """Spearman correlation of a method's maps of the best action and of the worst one.

    The worst is the one that the policy likes least over all states. There is no number for a
    method, or a score, that does not ask about an action.

    Notes:
        The method's own cost twice a state.

    References:
        Our own; the class-sensitivity of Nam et al. 2020 is its counterpart for images.
    """

    summary: ClassVar[str] = "agreement of the best action's map with the worst one's (Spearman)"
    better: ClassVar[Direction] = "lower"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "after Nam et al. 2020"
    weakness: ClassVar[str] = "one thing may well speak for one action and against the other"
    needs_maps: ClassVar[bool] = True

    states: int = 6
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        part = sample.some(self.states)
        liked = part.states.preferences.mean(0)
        maps = [
            part.make(
                part.states.policy,
                part.states.frames,
                median=part.states.median,
                action=int(action),
            )
            for action in (liked.argmax(), liked.argmin())
        ]
        if maps[0] is None or maps[1] is None:
            return np.full(len(part), np.nan)
        return spearman(maps[0], maps[1])


METRIC = Separability
