"""Pairs of objects that an output depends on together: by network weights, and by Shapley values.

Shape letters: T steps, G groups of objects, A merged actions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from agentlens.errors import InvalidArgument
from agentlens.words.description import Description
from agentlens.words.interactions import (
    InteractionPlan,
    Interactions,
    detect_interactions,
)

_USED = ("y", "x")
_SHOWN_PAIRS = 3
_MOST_MISSING = 0.5
"""An attribute that is missing in a larger share of steps is left out."""

_SEPARATOR = "."

DECIDED, ALL = "where it is decided", "all steps"

FITS = 3
"""Networks that are fitted from different first weights: positions that move together stand in for
each other, and which one does is chance."""

LEAST_DECIDED = 100
"""Of fewer steps at which the agent is decided, no pairs are told apart."""

TOGETHER = 0.9
"""Attributes of two objects whose correlation is at least this large stand in for each other."""

POSITIONS = InteractionPlan(l1=5e-4, updates=1000)
"""For the few positions of a game: a stronger penalty, which keeps the control column weak."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairReport:
    """What two looks at the same steps say.

    ``where``: which steps, in words. ``output``: whose difference was fitted, two actions.
    ``interactions``: of attributes named "ball.y", mean of the fits, each in units of its
    strongest pair. ``firsts``: the strongest pair of each fit. ``rows``: steps in which all of
    them are there. ``shapley``: pairs of objects with the mean size of their Shapley interaction,
    largest first; empty without shares. ``reduced``: attributes of which only what another does
    not tell was fitted, as "a by b".
    """

    where: str
    output: tuple[str, str]
    interactions: Interactions
    firsts: tuple[str, ...]
    rows: int
    shapley: tuple[tuple[str, str, float], ...]
    reduced: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The report in words: the fit, its strongest pairs and the control, and Shapley's."""
        top = ", ".join(f"{a} with {b}" for a, b, _ in self.interactions.ranked()[:_SHOWN_PAIRS])
        counted = Counter(self.firsts).most_common()
        firsts = ", ".join(f"{pair} ({count})" for pair, count in counted)
        fitted = (
            f"{self.where}: {self.output[0]} against {self.output[1]} from positions (R^2 "
            f"{self.interactions.fit:.2f} on the last fifth of {self.rows} steps): {top}; the "
            f"control column's best pair is number {self.interactions.control_rank}; first in "
            f"{len(self.firsts)} fits: {firsts}"
        )
        if self.reduced:
            fitted += f"; without what moves along: {', '.join(self.reduced)}"
        if not self.shapley:
            return (fitted,)
        pairs = [f"{a} with {b} ({size:.3f})" for a, b, size in self.shapley[:_SHOWN_PAIRS]]
        return fitted, f"Shapley interactions: {', '.join(pairs)}"


def report_pairs(
    parts: Sequence[Description],
    groups: tuple[tuple[int, ...], ...],
    meanings: Sequence[str],
    kind: str,
    plan: InteractionPlan = POSITIONS,
) -> tuple[PairReport, ...]:
    """Fit the difference of two preferences to the attributes of objects and rank their pairs.

    Once over the steps at which the agent is decided, where these are ``LEAST_DECIDED`` or more,
    and once over all steps. Objects that move together stand in for each other in such a fit
    (Pong's opponent follows the ball): where two attributes of different objects correlate by
    ``TOGETHER``, that of the object whose erasure does less is fitted as what a straight line from
    the other leaves. Shapley interactions come from erasing and need no such care.

    Args:
        parts: described steps.
        groups: actions that do the same, as indices into the policy's outputs.
        meanings: names of the outputs.
        kind: "logits", whose probabilities add up within a group, or "q_values", of which a group
            has its largest.
        plan: how the network is fitted.

    Raises:
        InvalidArgument: fewer than 50 steps in which all used attributes are there, or actions
            that are all the same.
    """
    preferences = np.concatenate([part.effects.preferences for part in parts]).astype(np.float64)
    merged = np.stack([merged_preference(preferences[:, list(group)], kind) for group in groups], 1)
    labels = [meanings[group[0]] for group in groups]
    names, table = _table(parts)
    decided = np.concatenate([part.decided for part in parts])
    whole = np.isfinite(table).all(1)
    weights = np.nanmean(np.concatenate([np.abs(part.effect) for part in parts]), 0)
    objects = dict(zip(parts[0].attributes.groups, weights, strict=True))
    reports = []
    for where, rows in ((DECIDED, whole & decided), (ALL, whole)):
        if where == DECIDED and rows.sum() < LEAST_DECIDED:
            continue
        first, second = _most_apart(merged[rows])
        own, reduced = independent(names, table[rows], objects)
        target = (merged[:, first] - merged[:, second])[rows]
        fits = [
            detect_interactions(own, target, names, replace(plan, seed=plan.seed + fit))
            for fit in range(FITS)
        ]
        report = _report(where, fits, (labels[first], labels[second]), int(rows.sum()))
        reports.append(replace(report, reduced=reduced, shapley=_shapley_pairs(parts, where)))
    return tuple(reports)


def _report(
    where: str, fits: Sequence[Interactions], output: tuple[str, str], rows: int
) -> PairReport:
    """The mean of some fits."""
    return PairReport(
        where=where,
        output=output,
        interactions=Interactions(
            names=fits[0].names,
            strength=np.mean([fit.strength / fit.strength.max() for fit in fits], axis=0),
            fit=float(np.mean([fit.fit for fit in fits])),
        ),
        firsts=tuple(" with ".join(fit.ranked()[0][:2]) for fit in fits),
        rows=rows,
        shapley=(),
    )


def merged_preference(preferences: np.ndarray, kind: str) -> np.ndarray:
    """One preference of actions that do the same: float64 [T] of [T, n].

    Of logits the log of the summed exponents, since their probabilities add up.

    Example:
        >>> same = np.zeros((1, 2))
        >>> merged_preference(same, "logits").round(3).tolist()
        [0.693]
        >>> merged_preference(same, "q_values").tolist()
        [0.0]
    """
    if kind != "logits":
        largest: np.ndarray = preferences.max(1)
        return largest
    summed: np.ndarray = np.logaddexp.reduce(preferences, axis=1)
    return summed


def independent(
    names: Sequence[str], table: np.ndarray, effects: Mapping[str, float]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Attributes of which none stands in for one of a weightier object.

    Args:
        names: such as "ball.y", D of them.
        table: float [T, D].
        effects: of erasing each object: the weightier one keeps its attribute as it is.

    Returns:
        The table with the other's replaced by what a straight line leaves; and which by which.

    Example:
        >>> ball = np.arange(6.0)
        >>> follower = 2 * ball + np.array([0, 1, 0, -1, 0, 0])
        >>> table = np.stack([follower, ball], 1)
        >>> left, which = independent(["foe.y", "ball.y"], table, {"foe": 0.1, "ball": 0.3})
        >>> which, bool(abs(np.corrcoef(left.T)[0, 1]) < 1e-9)
        (('foe.y by ball.y',), True)
    """
    left, told = table.copy(), []
    order = sorted(range(len(names)), key=lambda i: -effects[_object(names[i])])
    for place, column in enumerate(order):
        for other in order[:place]:
            if _object(names[other]) == _object(names[column]):
                continue
            if abs(float(np.corrcoef(table[:, column], table[:, other])[0, 1])) >= TOGETHER:
                slope, offset = np.polyfit(left[:, other], left[:, column], 1)
                left[:, column] -= slope * left[:, other] + offset
                told.append(f"{names[column]} by {names[other]}")
    return left, tuple(told)


def _object(attribute: str) -> str:
    return attribute.rpartition(_SEPARATOR)[0]


def _table(parts: Sequence[Description]) -> tuple[list[str], np.ndarray]:
    """Attributes that move and are mostly there: their names, and float [T, D]."""
    names, columns = [], []
    for group, name in enumerate(parts[0].attributes.groups):
        for attribute in _USED:
            column = np.concatenate([getattr(p.attributes, attribute)[:, group] for p in parts])
            missing = float(np.isnan(column).mean())
            if missing > _MOST_MISSING or np.nanstd(column) < 1.0:
                continue
            names.append(f"{name}{_SEPARATOR}{attribute}")
            columns.append(column)
    if not columns:
        raise InvalidArgument("no attribute moves in these steps: describe more of them.")
    return names, np.stack(columns, 1)


def _most_apart(merged: np.ndarray) -> tuple[int, int]:
    """The two merged actions whose difference varies most."""
    count = merged.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    if not pairs:
        raise InvalidArgument("the agent has one action only: there is no difference to fit.")
    return max(pairs, key=lambda pair: float(np.std(merged[:, pair[0]] - merged[:, pair[1]])))


def _shapley_pairs(parts: Sequence[Description], where: str) -> tuple[tuple[str, str, float], ...]:
    """Pairs of objects with the mean size of their Shapley interaction in these steps."""
    effects = [part.effects for part in parts]
    if not effects[0].interactions:
        return ()
    name = next(iter(effects[0].interactions))
    every = np.concatenate([np.abs(e.interactions[name]) for e in effects])
    decided = np.concatenate([part.decided for part in parts])
    sizes = np.nanmean(every[decided] if where == DECIDED else every, 0)
    names = effects[0].names
    pairs = [
        (names[i], names[j], float(sizes[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair[2]))
