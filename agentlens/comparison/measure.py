"""What can be said of two agents on the same states: one object a measure, one file each.

A measure of another package is an entry point of the group ``agentlens.measures``. The page, the
tables, the definitions and the table in the documentation follow from what is registered.

Shape letters: T states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

import numpy as np

from agentlens.comparison.statistics import (
    Interval,
    bootstrap,
    correlation_sums,
    of_correlation,
    of_means,
    resampling,
)
from agentlens.registry import Registry

Subject = Literal["actions", "maps"]
SUBJECTS: tuple[Subject, ...] = ("actions", "maps")
Unit = Literal["share", "nats", "correlation", "value units", "0 to 1"]


class PairOnStates(Protocol):
    """Two agents on T states: ``SharedStates`` or ``SharedMaps``."""

    @property
    def episodes(self) -> np.ndarray:
        """int64 [T], the episode of each state."""

    def swapped(self) -> Self:
        """The same with the second agent first."""


P = TypeVar("P", bound=PairOnStates)


@dataclass(frozen=True, kw_only=True)
class Measure(Generic[P]):
    """One figure of two agents on the same states, with its words.

    Example:
        A package that brings its own writes one file and one entry point::

            MEASURE = Measure(
                key="both_certain", heading="both certain", subject="actions", unit="share",
                definition="Share of states in which both agents' choices are nearly certain.",
                compute=both_certain, order=200,
            )
    """

    key: str
    """Name of the column in the tables."""
    heading: str
    """Name on the page, in a few words."""
    definition: str
    """One sentence or two: what the figure says, and how to read it."""
    unit: Unit
    """What one is one of; shares are written in percent."""
    subject: Subject
    """Whether ``compute`` is given ``SharedStates`` ("actions") or ``SharedMaps`` ("maps")."""
    compute: Callable[[P], np.ndarray | None]
    """float64 [T], averaged over the states (NaN is left out); or [T, 2], two quantities whose
    correlation over the states is the figure; None where it is not defined."""
    order: int
    """Place among the columns, from left to right."""
    columns: tuple[str, str] | None = None
    """For a figure of each agent, or of each against the other: the two columns. ``compute`` is
    then asked a second time with the agents swapped."""
    each_against_other: bool = False
    """Whether those two are from the first agent to the second and back, not of each alone."""
    on_page: bool = True
    """Whether the page shows it; tables and report.json always do."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns: two for a figure of each agent."""
        return self.columns or (self.key,)

    def values(self, shared: P) -> dict[str, np.ndarray]:
        """What ``compute`` says by column, without those that are not defined."""
        views = (shared, shared.swapped()) if self.columns else (shared,)
        values = {name: self.compute(view) for name, view in zip(self.names, views, strict=True)}
        return {name: column for name, column in values.items() if column is not None}

    def figures(self, shared: P) -> dict[str, Interval | None]:
        """The figure by column with its interval, which resamples whole episodes."""
        values = self.values(shared)
        return {name: _interval(values.get(name), shared.episodes) for name in self.names}


MEASURES: Registry[Measure[Any]] = Registry(
    package="agentlens.comparison.measures",
    attribute="MEASURE",
    kind="comparison measure",
    group="agentlens.measures",
)
"""Every measure, by name; each module exports its object as MEASURE."""


@cache
def measures_of(subject: Subject) -> tuple[Measure[Any], ...]:
    """The registered measures of one subject from left to right."""
    measures = [MEASURES.load(name) for name in MEASURES.names()]
    return tuple(sorted((m for m in measures if m.subject == subject), key=_place))


def measures_markdown() -> str:
    """The table of measures in docs/compare.md; a test compares the two."""
    rows = [
        f"| {m.heading} | {m.unit} | {m.definition} |" for s in SUBJECTS for m in measures_of(s)
    ]
    return "\n".join(["| measure | unit | what it says |", "|---|---|---|", *rows])


def _place(measure: Measure[Any]) -> tuple[int, str]:
    return measure.order, measure.key


def _interval(values: np.ndarray | None, episodes: np.ndarray) -> Interval | None:
    """The mean (or correlation) over all states; None where nothing is defined."""
    if values is None:
        return None
    known = np.isfinite(values) if values.ndim == 1 else np.isfinite(values).all(axis=1)
    if not known.any() or (values.ndim == 2 and (np.ptp(values[known], axis=0) == 0).any()):
        return None
    values, episodes = values[known], episodes[known]
    units = [episodes == episode for episode in np.unique(episodes)]
    if values.ndim == 1:
        sums = np.array([values[unit].sum() for unit in units])
        statistic = of_means(sums, np.array([unit.sum() for unit in units]))
    else:
        centred = values - values.mean(axis=0)
        statistic = of_correlation(np.stack([correlation_sums(*centred[u].T) for u in units]))
    return bootstrap(statistic, len(units), resampling()).interval()
