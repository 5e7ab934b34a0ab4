"""The words of a description: every template in one place. English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

MOST_CITED = 2
"""A sentence names at most so many objects that matter."""

SHOWN_SHARE = 0.01
"""Objects with less of the policy's effect are told together."""


@dataclass(frozen=True, kw_only=True)
class ObjectClause:
    """What a sentence may say of one object at one step; numbers as in ``Attributes``.

    ``effect``: of erasing it, in ``unit``. ``cited``: whether the causal check confirmed it.
    """

    name: str
    is_own: bool
    effect: float
    cited: bool
    present: bool
    gap_y: float
    gap_x: float
    dy: float
    dx: float
    approaching: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The action a sentence is about, and what the agent moves.

    ``probability``: None for Q-values, whose ``unit`` is Q. ``own``: what it moves. ``axis``:
    where that can move in one direction only; "" where in both.
    """

    action: str
    probability: float | None
    own: str
    axis: Literal["vertical", "horizontal", ""] = ""

    @property
    def unit(self) -> str:
        """Of the effects."""
        return "nats" if self.probability is not None else "Q"

    @property
    def changed(self) -> str:
        """What erasing an object changes."""
        return "the policy changes" if self.probability is not None else "its lead changes"


def sentence(choice: Choice, clauses: Sequence[ObjectClause]) -> str:
    """One sentence on one step.

    Example:
        >>> ball = ObjectClause(name="ball", is_own=False, effect=0.42, cited=True, present=True,
        ...                     gap_y=14, gap_x=-60, dy=2, dx=3, approaching=1)
        >>> sentence(Choice(action="LEFT", probability=0.61, own="own paddle"), [ball])
        'LEFT (0.61): the ball is 14 px below its own paddle and coming; without it the policy \
changes by 0.42 nats.'
    """
    ranked = sorted(clauses, key=lambda clause: -clause.effect)
    cited = [clause for clause in ranked if clause.cited][:MOST_CITED]
    others = [clause for clause in ranked if not clause.cited]
    parts = [_because(choice, clause) for clause in cited]
    if not cited:
        parts.append("no object in sight is shown to matter")
    elif others:
        do = "do" if plural(others[0].name) else "does"
        parts.append(f"{definite(others[0].name)} {do} not matter ({others[0].effect:.2f})")
    chance = f" ({choice.probability:.2f})" if choice.probability is not None else ""
    return f"{choice.action}{chance}: {'; '.join(parts)}."


def _because(choice: Choice, clause: ObjectClause) -> str:
    it = "them" if plural(clause.name) else "it"
    effect = f"without {it} {choice.changed} by {clause.effect:.2f} {choice.unit}"
    return f"{_where(choice, clause)}; {effect}"


def _where(choice: Choice, clause: ObjectClause) -> str:
    name, many = definite(clause.name), plural(clause.name)
    if not clause.present:
        return f"{name} {'were' if many else 'was'} there a moment ago"
    if clause.is_own or np.isnan(clause.gap_y):
        moving = motion(clause.dy, clause.dx)
        verb = ("move" if many else "moves") if moving else ("stand" if many else "stands")
        return f"{name} {verb} {moving or 'still'}"
    coming = {1.0: " and coming", 0.0: " and not coming"}.get(clause.approaching, "")
    place = f"{_apart(clause, choice.axis)} {definite(choice.own)}"
    return f"{name} {'are' if many else 'is'} {place}{coming}"


def _apart(clause: ObjectClause, axis: str) -> str:
    """Along the direction in which the own object moves, else where the gap is smaller."""
    vertical = _side(clause.gap_y, "below", "above")
    horizontal = _side(clause.gap_x, "right of", "left of")
    if axis == "vertical":
        return vertical or "level with"
    if axis == "horizontal":
        return horizontal or "in line with"
    if vertical and horizontal:
        nearer_in_y = abs(clause.gap_y) <= abs(clause.gap_x)
        return vertical if nearer_in_y else horizontal
    if not vertical and not horizontal:
        return "at"
    return "level with" if not vertical else "in line with"


def _side(gap: float, after: str, before: str) -> str:
    if np.isnan(gap) or gap == 0:
        return ""
    return f"{abs(gap):.0f} px {after if gap > 0 else before}"


def motion(dy: float, dx: float) -> str:
    """A direction in words, "" for none.

    Example:
        >>> motion(-2.0, 1.0)
        'up and right'
    """
    words = []
    if not np.isnan(dy) and dy != 0:
        words.append("down" if dy > 0 else "up")
    if not np.isnan(dx) and dx != 0:
        words.append("right" if dx > 0 else "left")
    return " and ".join(words)


def definite(name: str) -> str:
    """A name with its article.

    Example:
        >>> definite("ball"), definite("own paddle"), definite("Q*bert")
        ('the ball', 'its own paddle', 'Q*bert')
    """
    if name.startswith("own "):
        return f"its {name}"
    return name if name[:1].isupper() else f"the {name}"


def plural(name: str) -> bool:
    """Whether a name stands for several.

    Example:
        >>> plural("bricks"), plural("ball"), plural("enemies lane 2")
        (True, False, False)
    """
    return name.endswith("s") and not name.endswith("ss")


def shares_line(shares: Sequence[tuple[str, float]]) -> str:
    """Names with their shares of the policy's effect, 0 to 1; those below 1 % are the rest.

    Example:
        >>> shares_line([("ball", 0.713), ("own paddle", 0.28), ("score", 0.007)])
        "ball 71 %, own paddle 28 %, rest 1 % of the policy's effect"
    """
    parts = [f"{name} {100 * share:.0f} %" for name, share in shares if share >= SHOWN_SHARE]
    rest = sum(share for _, share in shares if share < SHOWN_SHARE)
    if round(100 * rest) > 0:
        parts.append(f"rest {100 * rest:.0f} %")
    return ", ".join(parts) + " of the policy's effect"


def losses_line(lost: int, cited: int, name: str, window: int) -> str:
    """How often an object mattered shortly before something was lost.

    Example:
        >>> losses_line(14, 12, "ball", 20)
        'in 12 of 14 losses the ball was cited in the 20 steps before'
    """
    were = "were" if plural(name) else "was"
    return f"in {cited} of {lost} losses {definite(name)} {were} cited in the {window} steps before"
