"""How alike two agents act on the same states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agentlens.comparison.measure import measures_of
from agentlens.comparison.outputs import SharedStates
from agentlens.comparison.statistics import Interval


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How alike two agents act on shared states; intervals resample whole episodes.

    ``figures``: the registered measures of actions by column, None where one is not defined: KL
    where one agent lacks an action of the other, all that needs probabilities for Q-networks.
    """

    first: str
    second: str
    states_of: str
    states: int
    episodes: int
    figures: Mapping[str, Interval | None]

    @property
    def greedy_agreement(self) -> Interval:
        """The share of states with the same greedy action, which is always defined."""
        agreement = self.figures["greedy_agreement"]
        assert agreement is not None, "every agent has a greedy action"
        return agreement


def behaviour(shared: SharedStates) -> Behaviour:
    """Measure how alike two agents act, with intervals that resample episodes."""
    figures: dict[str, Interval | None] = {}
    for measure in measures_of("actions"):
        figures |= measure.figures(shared)
    return Behaviour(
        first=shared.first,
        second=shared.second,
        states_of=shared.states_of,
        states=len(shared.steps),
        episodes=len(np.unique(shared.episodes)),
        figures=figures,
    )


def state_measures(shared: SharedStates) -> dict[str, np.ndarray]:
    """Every measure of actions that is a mean over states, by column: float64 [T] each."""
    columns: dict[str, np.ndarray] = {}
    for measure in measures_of("actions"):
        columns |= {name: c for name, c in measure.values(shared).items() if c.ndim == 1}
    return columns
