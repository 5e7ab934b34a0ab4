"""Input invariance: a policy that reads brighter pictures and does the same gets the same map."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import spearman
from agentlens.metrics._twins import ShiftedInput


@dataclass(frozen=True, kw_only=True)
class InputInvariance(Metric):
    """Spearman correlation of a map with that of an exact twin that reads brighter observations.

    The twin takes the constant off in front of the network, so it does the same in every state;
    its recording, and so its median, is brighter too.

    Notes:
        The method's own cost once a state, by the batched engine.

    References:
        Kindermans et al. 2017, section 2. Deviation: the shift is taken off in front, not folded
        into the first bias, which padding would make inexact.
    """

    summary: ClassVar[str] = (
        "agreement with the map of a twin that reads brighter pictures (Spearman)"
    )
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "Kindermans et al. 2017"
    weakness: ClassVar[str] = "a map of nothing but the input's edges passes as well"
    needs_maps: ClassVar[bool] = True

    shift: float = 0.25
    """Added to every pixel, in the observation's unit."""
    states: int = 6
    """States at most."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The correlation in each state; see ``Metric``."""
        part = sample.some(self.states)
        frames = part.states.frames
        previous = None if frames.previous is None else frames.previous + self.shift
        past = None if frames.past is None else frames.past + self.shift
        brighter = dataclasses.replace(
            frames,
            observations=frames.observations + self.shift,
            previous=previous,
            past=past,
        )
        twin = ShiftedInput(part.states.policy, self.shift)
        median = part.states.median + np.float32(self.shift)
        return spearman(part.maps, part.again(twin, brighter, median))


METRIC = InputInvariance
