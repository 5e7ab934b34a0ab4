"""How a screen that excites a unit is made: a plain dataclass for the API and the flags."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentlens.counts import check_count, check_rate
from agentlens.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class ExcitePlan:
    """How an observation is changed.

    Raises:
        InvalidArgument: a number out of range.
    """

    updates: int = 200
    """Steps of changing a screen."""
    jitter: int = 1
    """Pixels by which the screen is moved at random before each step, rows and columns."""
    smooth: float = 0.25
    """Weight of the change's total variation (a pixel's differences from its neighbours), beside
    the mean rise that a pixel brings; more makes larger, plainer patches."""
    spare: float = 0.25
    """Weight of the change's size: a pixel that raises the unit by less than this share of the
    mean pixel that it reads stays as it was; more leaves more of the screen alone."""
    learning_rate: float = 0.05
    """Size of a step (of Adam), as a share of the range of grey values."""
    seed: int = 0
    """Seed of the jitter."""

    def __post_init__(self) -> None:
        check_count("updates", self.updates)
        if type(self.jitter) is not int or not 0 <= self.jitter <= 16:
            raise InvalidArgument(f"jitter {self.jitter!r}: expected 0 to 16 pixels.")
        for name in ("smooth", "spare"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InvalidArgument(f"{name} {getattr(self, name)!r}: expected 0 or more.")
        check_count("seed", self.seed, least=0)
        check_rate("learning_rate", self.learning_rate, most=1)
