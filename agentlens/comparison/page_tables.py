"""The report's tables: returns, and every registered measure of actions and of maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentlens.comparison.behaviour import Behaviour
from agentlens.comparison.comparison import Comparison
from agentlens.comparison.html_parts import Html, cell, each, element, join, small, table
from agentlens.comparison.measure import Measure, Subject, measures_of
from agentlens.comparison.similarity import Similarity
from agentlens.comparison.words import number, verdict_text

_ACTIONS = (
    "Each agent was asked about the states that the other lived through. Rows are kept apart by "
    "whose states they are: an agent is at home on its own and a guest on the other's."
)
_MAPS = (
    "A similarity is never read alone: maps of any two agents agree where both follow the picture. "
    "Hold the first column against the ones after it."
)


def returns_table(comparison: Comparison) -> Html:
    """Every agent's returns."""
    headings = (
        "agent",
        "mean",
        "median",
        "interquartile mean",
        "range",
        "distinct episodes",
        "steps",
    )
    rows = [
        (
            r.agent,
            cell(r.mean),
            cell(r.median),
            cell(r.interquartile_mean),
            f"{number(r.least)} to {number(r.most)}",
            f"{r.distinct} of {r.episodes}",
            number(r.steps),
        )
        for r in comparison.returns
    ]
    return table("Returns by agent", headings, rows)


def differences_table(comparison: Comparison) -> Html:
    """Every paired difference."""
    headings = (
        "pair",
        "difference",
        "verdict",
        "probability of improvement",
        "p, Holm",
        "distinct pairs",
    )
    rows = [
        (
            f"{d.first} minus {d.second}",
            cell(d.difference, signed=True),
            verdict_text(d),
            cell(d.improvement, share=True),
            "below 0.001" if d.p_holm < 0.001 else f"{d.p_holm:.3f}",
            f"{d.distinct_pairs} of {d.pairs}",
        )
        for d in comparison.differences
    ]
    return table("Paired differences of returns", headings, rows)


def bias_table(comparison: Comparison) -> Html:
    """Value biases; nothing where none is known."""
    headings = ("agent", "value minus return", "reward", "own states")
    rows = [
        (b.agent, cell(b.bias, signed=True), f"{b.reward}, gamma {b.gamma:g}", str(b.states))
        for b in comparison.biases
    ]
    return table("Value bias", headings, rows) if rows else Html("")


def actions_section(comparison: Comparison) -> Html:
    """How alike the agents act."""
    if not comparison.behaviours:
        return Html("")
    measures = _measures("actions", comparison.behaviours)
    rows = [
        (
            f"{b.first} and {b.second}",
            small(f"{b.states_of}'s", f"{b.states} states, {_games(b.episodes)}"),
            *(_figure(m, b) for m in measures),
        )
        for b in comparison.behaviours
    ]
    headings = ("pair", "on the states of", *(m.heading for m in measures))
    parts = [element("p", _ACTIONS), table("Actions on shared states", headings, rows)]
    if comparison.burn_ins:
        parts += [element("h3", "Memory on another's states"), _burn_ins(comparison)]
    return join(parts)


def maps_table(comparison: Comparison) -> Html:
    """How alike the agents' maps are; nothing where there are none."""
    if not comparison.similarities:
        return Html("")
    measures = _measures("maps", comparison.similarities)
    twins = any(s.seed_twin is not None for s in comparison.similarities)
    rows = [
        (
            f"{s.first} and {s.second}",
            s.role,
            small(f"{s.states_of}'s", f"{s.states - s.undefined} states"),
            *(_figure(m, s) for m in measures),
            *((cell(s.seed_twin),) if twins else ()),
        )
        for s in comparison.similarities
    ]
    headings = ("pair", "maps of the", "on the states of", *(m.heading for m in measures))
    named = (*headings, "seed twin") if twins else headings
    return join([element("p", _MAPS), table("Similarity of saliency maps", named, rows)])


def _burn_ins(comparison: Comparison) -> Html:
    headings = ("agent", "on the states of", "memory of the last", "total variation", "states")
    rows = [
        (b.agent, b.states_of, f"{b.steps} decisions", number(b.total_variation), str(b.states))
        for b in comparison.burn_ins
    ]
    return table("Effect of a burn-in", headings, rows)


def _measures(
    subject: Subject, rows: Sequence[Behaviour] | Sequence[Similarity]
) -> list[Measure[Any]]:
    """The measures on the page of which any row has a figure."""
    return [
        m
        for m in measures_of(subject)
        if m.on_page and any(row.figures.get(name) for row in rows for name in m.names)
    ]


def _figure(measure: Measure[Any], row: Behaviour | Similarity) -> Html:
    """A measure's cell: one figure, or one of each agent below each other."""
    share = measure.unit == "share"
    cells = [cell(row.figures.get(name), share=share) for name in measure.names]
    return cells[0] if len(cells) == 1 else each(cells)


def _games(count: int) -> str:
    return f"{count} game{'s' if count != 1 else ''}"
