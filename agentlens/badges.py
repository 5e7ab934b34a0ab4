"""How far to believe a map set, in four words: what its measures amount to.

Pure numbers and strings: whatever draws a page or a video may read it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["pass", "weak", "fail", "not measured"]

SANITY = (0.3, 0.6)
"""Rank correlation with the map of a policy without its output layer: at most, for pass, weak."""
INVARIANCE = (0.99, 0.9)
"""Rank correlation with the maps of exact twins: at least, for pass, weak."""
CAUSAL = (0.3, 0.1)
"""Rank correlation with what erasing regions does: at least, for pass, weak."""

QUESTIONS = {
    "sanity": "Do the maps change when the policy's output layer is drawn anew?",
    "energy": "Do they agree with what erasing does better than the input's energy, which knows "
    "no policy?",
    "invariance": "Are they the same for exact twins of the policy?",
    "causal": "Do they put first what changes the policy when it is erased?",
}
"""What each badge asks."""
RULES = {
    "sanity": f"rank correlation, without its sign: pass up to {SANITY[0]}, weak up to {SANITY[1]}",
    "energy": "difference of the rank correlations: pass if its interval lies above 0, fail below",
    "invariance": f"least rank correlation: pass from {INVARIANCE[0]}, weak from {INVARIANCE[1]}",
    "causal": f"rank correlation: pass from {CAUSAL[0]} if erasing the top 5 % surely does more "
    f"than erasing 5 % at random, weak from {CAUSAL[1]}",
}
"""When each badge says pass and weak."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with its 95 % interval; ``low`` and ``high`` are NaN where there is none."""

    estimate: float
    low: float = math.nan
    high: float = math.nan

    def __str__(self) -> str:
        """As it is shown: "0.62", signs only where negative."""
        return f"{self.estimate:.2f}"

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above 0; without one, the estimate does not count."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0


@dataclass(frozen=True, kw_only=True)
class Badge:
    """One judgement.

    ``name``: sanity, energy, invariance or causal. ``text``: the numbers it rests on.
    """

    name: str
    verdict: Verdict
    text: str = ""

    def __str__(self) -> str:
        """Such as "sanity: pass (0.08)"."""
        return f"{self.name}: {self.verdict}{f' ({self.text})' if self.text else ''}"


@dataclass(frozen=True, kw_only=True)
class Badges:
    """The four judgements of a map set: ``QUESTIONS`` says what each of them asks."""

    sanity: Badge
    energy: Badge
    invariance: Badge
    causal: Badge

    @property
    def all(self) -> tuple[Badge, ...]:
        """The badges in the order in which they are shown."""
        return (self.sanity, self.energy, self.invariance, self.causal)

    @property
    def measured(self) -> bool:
        """Whether any of them was measured."""
        return any(badge.verdict != "not measured" for badge in self.all)

    @property
    def verdicts(self) -> str:
        """All in a line without their numbers: "sanity pass, energy weak, ..."."""
        if not self.measured:
            return "badges: not measured"
        return ", ".join(f"{badge.name} {badge.verdict}" for badge in self.all)

    @property
    def tally(self) -> str:
        """The same where there is no room: "badges: 3 of 4 pass"."""
        if not self.measured:
            return "not measured"
        passed = sum(badge.verdict == "pass" for badge in self.all)
        return f"badges: {passed} of {len(self.all)} pass"

    def __str__(self) -> str:
        """All on one line."""
        return "  ".join(map(str, self.all))


def judge(figures: Mapping[str, Figure]) -> Badges:
    """What figures amount to.

    Args:
        figures: by name; those that are missing or NaN leave their badge "not measured".
            ``randomisation``, ``input-invariance``, ``logit-shift``, ``causal-rank``,
            ``energy-correlation``, ``top-region``: of the map; ``causal-rank over energy``: how
            much more the map agrees than the energy map does.
    """
    known = {name: f for name, f in figures.items() if math.isfinite(f.estimate)}
    return Badges(
        sanity=_sanity(known),
        energy=_energy(known),
        invariance=_invariance(known),
        causal=_causal(known),
    )


def _sanity(figures: Mapping[str, Figure]) -> Badge:
    value = figures.get("randomisation")
    if value is None:
        return Badge(name="sanity", verdict="not measured")
    best, worst = SANITY
    size = abs(value.estimate)
    verdict: Verdict = "pass" if size <= best else "weak" if size <= worst else "fail"
    return Badge(name="sanity", verdict=verdict, text=f"{value} without output layer")


def _energy(figures: Mapping[str, Figure]) -> Badge:
    gain = figures.get("causal-rank over energy")
    if gain is None:
        return Badge(name="energy", verdict="not measured")
    verdict: Verdict = "pass" if gain.positive else "fail" if gain.negative else "weak"
    likeness = figures.get("energy-correlation")
    text = f"{gain.estimate:+.2f} over energy"
    return Badge(
        name="energy",
        verdict=verdict,
        text=text if likeness is None else f"{text}, alike {likeness}",
    )


def _invariance(figures: Mapping[str, Figure]) -> Badge:
    values = [figures[name] for name in ("input-invariance", "logit-shift") if name in figures]
    if not values:
        return Badge(name="invariance", verdict="not measured")
    least = min(values, key=lambda value: value.estimate)
    best, worst = INVARIANCE
    verdict: Verdict = "fail"
    if least.estimate >= best:
        verdict = "pass"
    elif least.estimate >= worst:
        verdict = "weak"
    return Badge(name="invariance", verdict=verdict, text=str(least))


def _causal(figures: Mapping[str, Figure]) -> Badge:
    agreement, top = figures.get("causal-rank"), figures.get("top-region")
    if agreement is None or top is None:
        return Badge(name="causal", verdict="not measured")
    best, worst = CAUSAL
    verdict: Verdict = "fail"
    if agreement.estimate >= best and top.positive:
        verdict = "pass"
    elif agreement.estimate >= worst and not top.negative:
        verdict = "weak"
    return Badge(
        name="causal", verdict=verdict, text=f"rank {agreement}, top 5% {top.estimate:+.2f}"
    )
