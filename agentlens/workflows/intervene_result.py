"""What an intervention showed: every decision, the figures of them, and the words for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.rollout.intervene import PlayedStep
from agentlens.spec import AgentSpec
from agentlens.workflows.intervene_options import UNTOUCHED, Intervention, PlayOn
from agentlens.workflows.summary import return_text

_MEASURES = ("kl", "total_variation", "flip")


@dataclass(frozen=True, kw_only=True, eq=False)
class InterventionResult:
    """Every decision of every arm, and what follows from them.

    ``rows``: by branch, arm and step. Figures rest on branches (whole games, or continuations of
    one state) as independent units; intervals are 95 % BCa.
    """

    rows: tuple[PlayedStep, ...]
    agent: AgentSpec
    intervention: Intervention
    play: PlayOn

    @classmethod
    def of(
        cls,
        rows: Sequence[PlayedStep],
        agent: AgentSpec,
        intervention: Intervention,
        play: PlayOn,
    ) -> InterventionResult:
        """The result of decisions in any order."""
        ordered = sorted(rows, key=lambda row: (row.branch, row.arm, row.step))
        return cls(rows=tuple(ordered), agent=agent, intervention=intervention, play=play)

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that were played, untouched first."""
        return self.intervention.arms

    def returns(self, arm: str) -> np.ndarray:
        """The return over the window of each branch, in order: float64 [branches]."""
        totals: dict[int, float] = {}
        for row in self.rows:
            if row.arm == arm:
                totals[row.branch] = totals.get(row.branch, 0.0) + row.reward
        return np.array([totals[branch] for branch in sorted(totals)])

    def return_interval(self, arm: str) -> Interval:
        """The mean return over the window."""
        return _interval(self.returns(arm))

    def difference(self, arm: str, other: str = UNTOUCHED) -> Interval:
        """The mean of the paired differences in return, ``arm`` less ``other``."""
        return _interval(self.returns(arm) - self.returns(other))

    def effect(self, measure: str, arm: str) -> Interval | None:
        """The mean change a decision in the arm's own states; ``None`` where nothing is hidden.

        Args:
            measure: "kl" (nats), "total_variation" or "flip" (share of decisions).
            arm: one that hides something.
        """
        sums: dict[int, list[float]] = {}
        for row in self.rows:
            if row.arm == arm and row.change is not None:
                sums.setdefault(row.branch, []).append(float(getattr(row.change, measure)))
        means = np.array([np.mean(sums[branch]) for branch in sorted(sums)])
        return _interval(means) if len(means) and np.isfinite(means).all() else None

    @property
    def distinct(self) -> int:
        """How many untouched branches differ in their actions."""
        played: dict[int, list[int]] = {}
        for row in self.rows:
            if row.arm == UNTOUCHED:
                played.setdefault(row.branch, []).append(row.action)
        return len({tuple(actions) for actions in played.values()})

    def columns(self) -> dict[str, list[Any]]:
        """The decisions as a table."""
        changes = [row.change for row in self.rows]
        table: dict[str, list[Any]] = {
            name: [getattr(row, name) for row in self.rows]
            for name in ("branch", "arm", "step", "action", "reward")
        }
        for name in _MEASURES:
            values = [None if c is None else float(getattr(c, name)) for c in changes]
            table[name] = [None if v is None or math.isnan(v) else v for v in values]
        return table

    def summary(self) -> dict[str, Any]:
        """The figures as plain numbers, for JSON."""
        return {
            "agent": self.agent.name,
            "fill": self.intervention.fill,
            "start": self.play.start,
            "steps": self.play.steps,
            "repeats": self.play.repeats,
            "distinct": self.distinct,
            "verdicts": {change: self.verdict(change) for change in self.intervention.changes},
            "arms": {
                arm: {
                    "return": _numbers(self.return_interval(arm)),
                    "difference": _numbers(self.difference(arm)) if arm != UNTOUCHED else None,
                    **{name: _numbers(self.effect(name, arm)) for name in _MEASURES},
                }
                for arm in self.arms
            },
        }

    def verdict(self, change: str) -> str:
        """One sentence on a changed arm; "cannot tell" where the difference's interval holds 0."""
        gap = self.difference(change)
        if self.play.repeats < 2:
            return f"{change}: cannot tell; one pair has no interval, ask for more repeats."
        if self.distinct < 2:
            return f"{change}: cannot tell; every repeat played the same game: one pair only."
        returns = [*self.returns(UNTOUCHED), *self.returns(change)]
        mean, low, high = (return_text(v, returns) for v in (gap.estimate, gap.low, gap.high))
        between = f"{mean} ({low} to {high})"
        if gap.holds(0.0):
            return f"{change}: cannot tell; the difference in return is {between}, which holds 0."
        return f"{change}: the return changes by {between} against untouched play."


def _interval(values: np.ndarray) -> Interval:
    return bootstrap(of_values(values, mean), len(values), np.random.default_rng(0)).interval()


def _numbers(interval: Interval | None) -> list[float | None] | None:
    if interval is None:
        return None
    ends = (interval.estimate, interval.low, interval.high)
    return [None if math.isnan(value) else value for value in ends]
