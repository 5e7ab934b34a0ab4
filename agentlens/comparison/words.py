"""The comparison in sentences: what it says, how it was measured, what each measure means."""

from __future__ import annotations

import math
from collections.abc import Mapping

from agentlens.comparison.behaviour import Behaviour
from agentlens.comparison.comparison import Comparison
from agentlens.comparison.measure import SUBJECTS, measures_of
from agentlens.comparison.returns import PairedDifference
from agentlens.comparison.statistics import LEVEL, RESAMPLES, Interval, pairs_needed

_LEVEL = f"{100 * LEVEL:.0f} %"
WORTH_SAYING = 0.03
"""Share of a map's mass: a smaller shift is called none."""

_RETURNS: Mapping[str, str] = {
    "return": "Sum of the raw rewards of a whole game.",
    "interquartile mean": "Mean of the middle half of the episodes.",
    "difference": "Mean over seeds of the first agent's return minus the second's.",
    "probability of improvement": "Chance that an episode of the first agent returns more than "
    "one of the second; ties count half; 50 % means alike.",
    "p, Holm": "One minus the level at which the difference's interval first holds 0, never below "
    "the chance that as many fair coins fall alike, corrected for all differences of this page.",
    "value bias": "Mean of value minus the discounted return that followed, in the critic's own "
    "reward units.",
}
_SEED_TWIN = (
    "'without energy' between the first agent and one that differs by its training seed alone."
)


def definitions() -> dict[str, str]:
    """What each figure means, by its heading: of returns, then of every registered measure."""
    measures = {m.heading: m.definition for s in SUBJECTS for m in measures_of(s)}
    return {**_RETURNS, **measures, "seed twin": _SEED_TWIN}


def number(value: float, *, signed: bool = False) -> str:
    """Two or three significant digits, never as a power of ten.

    Example:
        >>> number(32.46, signed=True), number(0.737), number(0.01234), number(1234.5)
        ('+32.5', '0.74', '0.012', '1234')
    """
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    if 0 < size < 0.0995:
        digits = min(8, 1 - math.floor(math.log10(size)))
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return "0" if float(text) == 0 else text


def percent(value: float) -> str:
    """A share as "61 %"; one decimal below 10 % and above 90 %, but for 0 and 100.

    Example:
        >>> percent(0.614), percent(0.998), percent(1.0)
        ('61 %', '99.8 %', '100 %')
    """
    scaled = 100 * value
    exact = scaled in (0.0, 100.0) or 10 <= scaled <= 90
    return f"{scaled:.0f} %" if exact else f"{scaled:.1f} %"


def interval_text(interval: Interval | None, *, signed: bool = False) -> str:
    """ "12.3 [10.1, 14.0]"; without an interval the figure alone; "-" for none."""
    if interval is None:
        return "-"
    estimate = number(interval.estimate, signed=signed)
    if math.isnan(interval.low):
        return estimate
    ends = (number(end, signed=signed) for end in (interval.low, interval.high))
    return f"{estimate} [{', '.join(ends)}]"


def share_text(interval: Interval | None) -> str:
    """As ``interval_text`` for shares."""
    if interval is None:
        return "-"
    if math.isnan(interval.low):
        return percent(interval.estimate)
    return f"{percent(interval.estimate)} [{percent(interval.low)}, {percent(interval.high)}]"


def verdict_text(paired: PairedDifference) -> str:
    """What a difference amounts to, in words."""
    return {
        "higher": f"{paired.first} returns more",
        "lower": f"{paired.second} returns more",
        "cannot tell": "cannot tell",
        "equal": "the same in every pair",
    }[paired.verdict]


def summary(comparison: Comparison) -> str:
    """The comparison in one sentence or a few."""
    if len(comparison.agents) > 2:
        return _summary_of_many(comparison)
    first, second = comparison.returns
    paired = comparison.differences[0]
    pairs = f"{paired.distinct_pairs} paired seed{'s' if paired.distinct_pairs != 1 else ''}"
    if paired.verdict == "equal":
        text = (
            f"{first.agent} and {second.agent} return the same, "
            f"{number(first.mean.estimate)}, in all {pairs}"
        )
    else:
        text = (
            f"{first.agent} returns {number(first.mean.estimate)} against "
            f"{number(second.mean.estimate)} of {second.agent} ({_difference(paired)}, {pairs}"
        )
        text += ": cannot tell which returns more)" if paired.verdict == "cannot tell" else ")"
    return text + _agreement(comparison.behaviours) + _looks(comparison) + "."


def _summary_of_many(comparison: Comparison) -> str:
    means = ", ".join(f"{r.agent} {number(r.mean.estimate)}" for r in comparison.returns)
    clear = [d for d in comparison.differences if d.verdict in ("higher", "lower")]
    unclear = [d for d in comparison.differences if d.verdict == "cannot tell"]
    text = f"In the order given, mean returns are {means}. "
    text += (
        f"Of {len(comparison.differences)} differences {len(clear)} are clear after Holm's "
        f"correction"
    )
    if clear:
        widest = max(clear, key=lambda d: abs(d.difference.estimate))
        text += f", the largest between {widest.first} and {widest.second} ({_difference(widest)})"
    if unclear:
        of = f"{unclear[0].first} from {unclear[0].second}"
        text += f"; cannot tell {of if len(unclear) == 1 else f'{len(unclear)} pairs apart'}"
    text += "."
    if comparison.behaviours:
        rates = [b.greedy_agreement.estimate for b in comparison.behaviours]
        text += (
            f" Two agents choose the same action in {percent(min(rates))} to "
            f"{percent(max(rates))} of shared states."
        )
    return text


def _difference(paired: PairedDifference) -> str:
    interval = paired.difference
    text = number(interval.estimate, signed=True)
    if math.isnan(interval.low):
        return text
    return f"{text}, 95 % interval {number(interval.low)} to {number(interval.high)}"


def _agreement(behaviours: tuple[Behaviour, ...]) -> str:
    if not behaviours:
        return ""
    rates = [
        f"{percent(b.greedy_agreement.estimate)} of {b.states_of}'s states" for b in behaviours
    ]
    if len({percent(b.greedy_agreement.estimate) for b in behaviours}) == 1:
        rates = [f"{percent(behaviours[0].greedy_agreement.estimate)} of shared states"]
    return f"; they choose the same action in {' and '.join(rates)}"


def _looks(comparison: Comparison) -> str:
    shifts = [s for s in comparison.shifts if s.role == "actor"]
    if not shifts:
        return ""
    gains = [gain for s in shifts for gain in s.gains]
    largest = max(gains, key=lambda gain: gain.share)
    points = number(100 * largest.share)
    if largest.share < WORTH_SAYING:
        return (
            "; they look at the same places (the mass of their maps in a ninth of the screen "
            f"differs by {points} percentage points at most)"
        )
    return (
        f"; {largest.agent}'s choices depend more on the {largest.region} of the screen "
        f"({points} percentage points more of its maps' mass)"
    )


def methods(comparison: Comparison) -> str:
    """One paragraph that names protocol, seeds, measures and versions."""
    made, agent = comparison.made, comparison.agents[0]
    protocols = {c.protocol for c in comparison.agents}
    versions = made.get("versions", {})
    named = ", ".join(
        f"{name} {versions[name]}"
        for name in ("agentlens", "ale-py", "torch", "numpy")
        if name in versions
    )
    counts = ", ".join(
        f"{r.agent}: {r.episodes} ({r.distinct} distinct)" for r in comparison.returns
    )
    parts = [
        f"Game {agent.game}. Protocol: {'; '.join(sorted(protocols))}.",
        f"Whole games from the same seeds (recording seed {made.get('seed', agent.seed)}), "
        f"episodes by agent: {counts}; returns are raw.",
        f"Intervals are {_LEVEL} BCa bootstrap intervals ({RESAMPLES} resamples, generator "
        f"seed {made.get('statistics_seed', 0)}) with Student quantiles for few units; returns "
        "resample pairs of episodes with one seed, figures on states resample whole episodes; the "
        "probability of improvement has a score interval (Newcombe 2006).",
        "P-values invert the interval of the paired difference and are corrected by Holm's "
        "method over all differences.",
    ]
    if comparison.behaviours:
        parts.append(
            "On shared states each agent was asked about every state that the other lived "
            "through, with its own preprocessing and, if it has one, its own memory from the "
            "episode's start; both directions are kept apart. Actions with the same effect are "
            "merged."
        )
    if comparison.similarities:
        parts.append(str(made.get("maps", "")))
    parts.append(f"Made {made.get('created', '')} with {named}.")
    return " ".join(p.strip() for p in parts if p)


def standing_notes(comparison: Comparison) -> tuple[str, ...]:
    """What holds for every comparison, and what its size alone says."""
    notes = [
        "An interval speaks of these checkpoints in this protocol, not of the algorithms that "
        "trained them: that takes several training runs of each."
    ]
    least = min((d.distinct_pairs for d in comparison.differences), default=0)
    few = few_pairs_note(least, len(comparison.differences))
    notes.extend([f"Only {few}"] if few else [])
    notes.extend(
        f"{r.agent}: only {r.distinct} of {r.episodes} episodes are distinct; equal ones were "
        "counted once."
        for r in comparison.returns
        if r.distinct < r.episodes
    )
    cut = [
        f"{g.agent} {sum(e != 'terminated' for e in g.ends)} of {len(g.ends)}"
        for g in comparison.games
        if any(e != "terminated" for e in g.ends)
    ]
    if cut:
        notes.append(
            f"Episodes cut before the game's end (their returns are partial): {', '.join(cut)}."
        )
    return tuple(notes)


def few_pairs_note(pairs: int, differences: int) -> str:
    """That so few pairs of episodes cannot tell any difference, whatever they return; or ""."""
    needed = pairs_needed(differences)
    if pairs >= needed:
        return ""
    counted = f"{pairs} distinct pair{'s' if pairs != 1 else ''} of episodes"
    if pairs < 2:
        return f"{counted}: there is no interval."
    clearest = f" for the clearest of {differences} differences" if differences > 1 else ""
    return (
        f"{counted}: the intervals are rough, and however they lie no difference can be told at "
        f"{_LEVEL}, which takes {needed} pairs or more{clearest}."
    )
