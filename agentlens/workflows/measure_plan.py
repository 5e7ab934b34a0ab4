"""What is measured of maps, and on which states: a plain dataclass for the API and the flags."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument

BADGE_METRICS = (
    "causal-rank",
    "energy-correlation",
    "input-invariance",
    "logit-shift",
    "randomisation",
    "top-region",
)
"""The metrics that badges rest on."""

BADGE_STATES = 40
"""States that they are measured on where a video asks for badges."""


@dataclass(frozen=True, kw_only=True)
class MeasurePlan:
    """Which metrics, on which states.

    Raises:
        InvalidArgument: no state, or no metric.
    """

    states: int = 40
    """States measured, evenly spread over the recording's episodes."""
    metrics: tuple[str, ...] | None = None
    """Metrics by name; all if not given."""
    episodes: tuple[int, ...] | None = None
    """Episodes by index; all if not given."""
    controls: bool = True
    """Measure a random map, the input's energy, an edge detector and the method on a policy whose
    weights are drawn anew, beside the methods."""
    seed: int = 0
    """Of whatever is drawn."""

    def __post_init__(self) -> None:
        check_count("states", self.states)
        if self.metrics is not None and not self.metrics:
            raise InvalidArgument("no metric: name some, or leave them out for all.")
