"""The table of a measure: a number for each row, metric and state, and figures with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentlens.badges import Badges, Figure, judge
from agentlens.comparison.statistics import Interval, bootstrap, of_means

FEW_EPISODES = 6
"""With fewer, intervals resample stretches of episodes instead."""

STRETCHES = 10
"""Where there are too few episodes, their states are cut into about so many stretches."""

ENERGY, RANDOM, EDGES, FORGOTTEN = "energy", "random", "edges", "re-initialised"


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasureResult:
    """What was measured.

    ``values``: by row and metric, float64 [n], NaN where there is none. ``places``: by row and
    metric, int64 [n], the states that they belong to. ``episodes``, ``steps``: int64 [F], of the
    states. ``methods``: the rows that are no controls. ``better``: direction by metric.
    """

    values: Mapping[str, Mapping[str, np.ndarray]]
    places: Mapping[str, Mapping[str, np.ndarray]]
    episodes: np.ndarray
    steps: np.ndarray
    methods: tuple[str, ...]
    better: Mapping[str, str]

    @property
    def rows(self) -> tuple[str, ...]:
        """Methods and controls."""
        return tuple(self.values)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics, in order of name."""
        return tuple(self.better)

    @property
    def by_episode(self) -> bool:
        """Whether intervals resample episodes; else stretches of them."""
        return bool(len(np.unique(self.episodes)) >= FEW_EPISODES)

    @property
    def units(self) -> str:
        """What intervals resample, in words."""
        count = len(np.unique(self.episodes))
        if self.by_episode:
            return f"{count} episodes"
        return f"stretches of {count} episode{'s' if count > 1 else ''} (fewer than {FEW_EPISODES})"

    def figure(self, row: str, metric: str, less: str | None = None) -> Figure:
        """The mean over states with its interval, or the paired difference from another row.

        NaN where the metric has no number for the row.
        """
        if metric not in self.values.get(row, {}):
            return Figure(estimate=float("nan"))
        values, places = self.values[row][metric], self.places[row][metric]
        if less is not None:
            if metric not in self.values.get(less, {}):
                return Figure(estimate=float("nan"))
            values = values - self.values[less][metric]
        interval = self._interval(values, places)
        if interval is None:
            return Figure(estimate=float("nan"))
        return Figure(estimate=interval.estimate, low=interval.low, high=interval.high)

    def figures(self, row: str) -> dict[str, Figure]:
        """All figures of a row, with what badges compare them with."""
        table = {metric: self.figure(row, metric) for metric in self.values[row]}
        if ENERGY in self.rows:
            table["causal-rank over energy"] = self.figure(row, "causal-rank", ENERGY)
        return {name: figure for name, figure in table.items() if np.isfinite(figure.estimate)}

    def badges(self, row: str) -> Badges:
        """What the figures of a row amount to."""
        return judge(self.figures(row))

    def columns(self) -> dict[str, list[Any]]:
        """One line a row, metric and state."""
        table: dict[str, list[Any]] = {
            name: [] for name in ("row", "metric", "episode", "step", "value")
        }
        for row, metrics in self.values.items():
            for metric, values in metrics.items():
                for place, value in zip(self.places[row][metric], values, strict=True):
                    table["row"].append(row)
                    table["metric"].append(metric)
                    table["episode"].append(int(self.episodes[place]))
                    table["step"].append(int(self.steps[place]))
                    table["value"].append(float(value) if np.isfinite(value) else None)
        return table

    def _interval(self, values: np.ndarray, places: np.ndarray) -> Interval | None:
        finite = np.isfinite(values)
        if not finite.any():
            return None
        values, places = values[finite], places[finite]
        units = self._units()[places]
        numbers = np.unique(units)
        sums = np.array([values[units == number].sum() for number in numbers])
        counts = np.array([(units == number).sum() for number in numbers])
        generator = np.random.default_rng(0)
        resampled = bootstrap(of_means(sums, counts), len(numbers), generator, resamples=2_000)
        return resampled.interval()

    def _units(self) -> np.ndarray:
        """The unit of each state: its episode, or its stretch."""
        if self.by_episode:
            return self.episodes
        count = len(self.episodes)
        return np.arange(count) * min(STRETCHES, count) // count
