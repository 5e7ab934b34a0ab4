"""What a metric is, and what it is handed.

Shape letters: F states, gy gx grid, H W observation.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np

from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import part
from agentlens.metrics._states import States
from agentlens.policies.base import Policy
from agentlens.registry import Registry
from agentlens.saliency.base import FrameBatch
from agentlens.spec import GridSpec

Direction = Literal["higher", "lower", "neither"]


class Maker(Protocol):
    """Makes a method's maps of any states by any policy."""

    def __call__(
        self,
        policy: Policy,
        frames: FrameBatch,
        *,
        median: np.ndarray,
        action: int | None = None,
    ) -> np.ndarray | None:
        """Maps float64 [F, gy, gx], not negative.

        Args:
            policy: whose choices are explained.
            frames: the states.
            median: float32 [H, W], the recording's median plane as this policy sees planes.
            action: explain this action instead of the method's own choice.

        Returns:
            ``None`` where the method does not ask about an action and one was named.
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One method's maps of some states.

    ``states``: shared by all methods that are measured together. ``maps``: float64 [F, gy, gx],
    not negative. ``grid``: where they lie. ``make``: makes them again for other policies and
    states. ``seed``: of whatever a metric draws.
    """

    states: States
    maps: np.ndarray
    grid: GridSpec
    make: Maker
    seed: int = 0

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """The maps on the observation's pixels: float64 [F, H, W]."""
        return to_pixels(self.maps, self.grid)

    @functools.cached_property
    def curves(self) -> dict[tuple[str, bool], np.ndarray]:
        """Curves worked out already, by fill and whether pixels were inserted."""
        return {}

    def __len__(self) -> int:
        return len(self.maps)

    def some(self, count: int) -> Sample:
        """At most ``count`` of the states, evenly spread; the sample itself if that is all."""
        if count >= len(self):
            return self
        rows = np.unique(np.linspace(0, len(self) - 1, count).round().astype(int))
        return dataclasses.replace(self, states=self.states.some(rows), maps=self.maps[rows])

    def again(
        self, policy: Policy, frames: FrameBatch | None = None, median: np.ndarray | None = None
    ) -> np.ndarray:
        """The maps of the same states, or of others, by another policy."""
        maps = self.make(
            policy,
            self.states.frames if frames is None else frames,
            median=self.states.median if median is None else median,
        )
        assert maps is not None  # only a named action may be refused
        return maps

    def rows(self, numbers: Sequence[int]) -> FrameBatch:
        """Some of the states."""
        return part(self.states.frames, numbers)


class Metric(abc.ABC):
    """One way to judge maps. Subclasses are final frozen keyword-only dataclasses, one a file.

    ``summary``: one line for tables. ``better``: the direction of a good map, "neither" for what
    only describes. ``unit``. ``paper``: where it comes from. ``weakness``: what a reader of its
    numbers should know. ``needs_maps``: it makes maps again, which costs most.
    """

    summary: ClassVar[str]
    better: ClassVar[Direction]
    unit: ClassVar[str]
    paper: ClassVar[str]
    weakness: ClassVar[str]
    needs_maps: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, sample: Sample) -> np.ndarray:
        """One number a state: float64 [n], NaN where there is none.

        n may be fewer than the sample's states for metrics that make maps again: they take some,
        evenly spread (``Sample.some``).
        """

    def rows(self, count: int) -> np.ndarray:
        """Which of ``count`` states the numbers belong to: int64 [n]."""
        most = getattr(self, "states", 0) or count
        if most >= count:
            return np.arange(count)
        return np.unique(np.linspace(0, count - 1, most).round().astype(int))


METRICS: Registry[type[Metric]] = Registry(
    package="agentlens.metrics", attribute="METRIC", kind="metric", group="agentlens.metrics"
)
"""Every metric, by name; each module exports its dataclass as METRIC."""
