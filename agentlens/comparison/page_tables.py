"""The report's tables: returns, and every registered measure of actions and of maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from agentlens.comparison.behaviour import Behaviour
from agentlens.comparison.comparison import Comparison, ObjectEffect
from agentlens.comparison.html_parts import (
    Html,
    cell,
    columns_table,
    element,
    folded,
    join,
    small,
    table,
)
from agentlens.comparison.measure import Measure, Subject, measures_of
from agentlens.comparison.similarity import Similarity
from agentlens.comparison.words import number, percent, verdict_text

R = TypeVar("R", Behaviour, Similarity)
_ACTIONS = (
    "Each agent was asked about the states that the other lived through. Columns are kept apart "
    "by whose states they are: an agent is at home on its own and a guest on the other's."
)
_MAPS = (
    "A similarity is never read alone: maps of any two agents agree where both follow the picture. "
    "Hold the first row against the ones after it."
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
    """How alike the agents act: a table a pair, with a column for whose states they are."""
    if not comparison.behaviours:
        return Html("")
    measures = _measures("actions", comparison.behaviours)
    tables = []
    for pair, rows in _by_pair(comparison.behaviours).items():
        headings = [
            small(f"on {b.states_of}'s states", f"{b.states} states, {_games(b.episodes)}")
            for b in rows
        ]
        tables.append(_pair_table(pair, headings, measures, rows))
    parts = [element("p", _ACTIONS), _folded_after_two(tables)]
    if comparison.burn_ins:
        parts += [element("h3", "Memory on another's states"), _burn_ins(comparison)]
    return join(parts)


def maps_table(comparison: Comparison) -> Html:
    """How alike the agents' maps are, a table a pair and role; nothing where there are none."""
    if not comparison.similarities:
        return Html("")
    measures = _measures("maps", comparison.similarities)
    tables = []
    for pair, both in _by_pair(comparison.similarities).items():
        for role in sorted({s.role for s in both}):
            rows = [s for s in both if s.role == role]
            headings = [
                small(f"on {s.states_of}'s states", f"{s.states - s.undefined} states")
                for s in rows
            ]
            tables.append(_pair_table(pair, headings, measures, rows, of=f": maps of the {role}"))
    return join([element("p", _MAPS), _folded_after_two(tables)])


def objects_table(comparison: Comparison) -> Html:
    """Which objects each agent acts for; nothing where nobody was asked."""
    if not comparison.objects:
        return Html("")
    agents = list(dict.fromkeys(o.agent for o in comparison.objects))
    shares = {(o.agent, o.object): o for o in comparison.objects}
    names = sorted({o.object for o in comparison.objects}, key=lambda n: -_largest(shares, n))
    rows = []
    for name in names:
        known = [shares.get((agent, name)) for agent in agents]
        rows.append((name, *(_object_cell(effect) for effect in known)))
    first = comparison.objects[0]
    caption = (
        f"Share of the effect of erasing each object, {first.steps} of {first.states_of}'s states; "
        "below it the share where the agent is decided, if it is at enough of them"
    )
    layout = columns_table if len(agents) <= 2 else table
    return layout(caption, ("object", *agents), rows)


def _object_cell(effect: ObjectEffect | None) -> str | Html:
    """The share of all states, which all agents have, and below it that where it is decided."""
    if effect is None:
        return "-"
    cited = f"cited in {percent(effect.cited)}"
    if effect.decided is None:
        return small(percent(effect.effect), cited)
    return small(percent(effect.effect), f"where decided {percent(effect.decided)}, {cited}")


def _largest(shares: Mapping[tuple[str, str], ObjectEffect], name: str) -> float:
    return max(o.effect for (_, of), o in shares.items() if of == name)


def _by_pair(rows: Sequence[R]) -> dict[tuple[str, str], list[R]]:
    pairs: dict[tuple[str, str], list[R]] = {}
    for row in rows:
        pairs.setdefault((row.first, row.second), []).append(row)
    return pairs


def _pair_table(
    pair: tuple[str, str],
    headings: Sequence[str],
    measures: Sequence[Measure[Any]],
    columns: Sequence[Behaviour] | Sequence[Similarity],
    *,
    of: str = "",
) -> tuple[str, Html]:
    """The pair's name, and its figures: a measure a row."""
    rows = [
        (_named(name, measure, pair), *(_figure(measure, name, c) for c in columns))
        for measure in measures
        for name in measure.names
    ]
    twins = [getattr(c, "seed_twin", None) for c in columns]
    if any(twins):
        rows.append(("seed twin", *(cell(twin) for twin in twins)))
    title = f"{pair[0]} and {pair[1]}{of}"
    return title, columns_table(title, ("", *headings), rows)


def _folded_after_two(tables: Sequence[tuple[str, Html]]) -> Html:
    shown = [content for _, content in tables[:2]]
    return join([*shown, *(folded(title, content) for title, content in tables[2:])])


def _named(name: str, measure: Measure[Any], pair: tuple[str, str]) -> str:
    """A measure's row: for a figure of each agent with that agent's name."""
    if measure.columns is None:
        return measure.heading
    of = pair if name == measure.names[0] else pair[::-1]
    if measure.each_against_other:
        return f"{measure.heading} from {of[0]} to {of[1]}"
    return f"{measure.heading}: {of[0]}"


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


def _figure(measure: Measure[Any], name: str, row: Behaviour | Similarity) -> Html:
    return cell(row.figures.get(name), share=measure.unit == "share")


def _games(count: int) -> str:
    return f"{count} game{'s' if count != 1 else ''}"
