"""Pairs of objects that an output depends on together: by network weights, and by Shapley values.

Shape letters: T steps, G groups of objects, A merged actions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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

FITS = 3
"""Networks that are fitted from different first weights: positions that move together stand in for
each other, and which one does is chance."""

POSITIONS = InteractionPlan(l1=5e-4, updates=1000)
"""For the few positions of a game: a stronger penalty, which keeps the control column weak."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairReport:
    """What two looks at the same steps say.

    ``output``: whose difference was fitted, two actions. ``interactions``: of attributes named
    "ball.y", mean of the fits, each in units of its strongest pair. ``firsts``: the strongest pair
    of each fit. ``rows``: steps in which all of them are there. ``shapley``: pairs of objects with
    the mean size of their Shapley interaction, largest first; empty without shares.
    """

    output: tuple[str, str]
    interactions: Interactions
    firsts: tuple[str, ...]
    rows: int
    shapley: tuple[tuple[str, str, float], ...]

    def lines(self) -> tuple[str, ...]:
        """The report in words: the fit, its strongest pairs and the control, and Shapley's."""
        top = ", ".join(f"{a} with {b}" for a, b, _ in self.interactions.ranked()[:_SHOWN_PAIRS])
        counted = Counter(self.firsts).most_common()
        firsts = ", ".join(f"{pair} ({count})" for pair, count in counted)
        fitted = (
            f"{self.output[0]} against {self.output[1]} from positions (R^2 "
            f"{self.interactions.fit:.2f} on the last fifth of {self.rows} steps): {top}; the "
            f"control column's best pair is number {self.interactions.control_rank}; first in "
            f"{len(self.firsts)} fits: {firsts}"
        )
        if not self.shapley:
            return (fitted,)
        pairs = [f"{a} with {b} ({size:.3f})" for a, b, size in self.shapley[:_SHOWN_PAIRS]]
        return fitted, f"Shapley interactions: {', '.join(pairs)}"


def report_pairs(
    parts: Sequence[Description],
    groups: tuple[tuple[int, ...], ...],
    meanings: Sequence[str],
    plan: InteractionPlan = POSITIONS,
) -> PairReport:
    """Fit the difference of two preferences to the attributes of objects and rank their pairs.

    Args:
        parts: described steps.
        groups: actions that do the same, as indices into the policy's outputs.
        meanings: names of the outputs.
        plan: how the network is fitted.

    Objects that move together stand in for each other in such a fit (Pong's opponent follows the
    ball); the Shapley interactions, which come from erasing, tell them apart.

    Raises:
        InvalidArgument: fewer than 50 steps in which all used attributes are there, or actions
            that are all the same.
    """
    names, table = _table(parts)
    preferences = np.concatenate([part.effects.preferences for part in parts]).astype(np.float64)
    merged = np.stack([preferences[:, list(group)].max(1) for group in groups], 1)
    first, second = _most_apart(merged)
    rows = np.isfinite(table).all(1)
    target = (merged[:, first] - merged[:, second])[rows]
    fits = [
        detect_interactions(table[rows], target, names, replace(plan, seed=plan.seed + fit))
        for fit in range(FITS)
    ]
    labels = [meanings[group[0]] for group in groups]
    return PairReport(
        output=(labels[first], labels[second]),
        interactions=Interactions(
            names=fits[0].names,
            strength=np.mean([fit.strength / fit.strength.max() for fit in fits], axis=0),
            fit=float(np.mean([fit.fit for fit in fits])),
        ),
        firsts=tuple(" with ".join(fit.ranked()[0][:2]) for fit in fits),
        rows=int(rows.sum()),
        shapley=_shapley_pairs(parts),
    )


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


def _shapley_pairs(parts: Sequence[Description]) -> tuple[tuple[str, str, float], ...]:
    effects = [part.effects for part in parts]
    if not effects[0].interactions:
        return ()
    name = next(iter(effects[0].interactions))
    sizes = np.nanmean(np.concatenate([np.abs(e.interactions[name]) for e in effects]), 0)
    names = effects[0].names
    pairs = [
        (names[i], names[j], float(sizes[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    return tuple(sorted(pairs, key=lambda pair: -pair[2]))
