"""The badges in the page's header: how far the maps can be believed, numbers one click away."""

from __future__ import annotations

import math

from agentlens.badges import QUESTIONS, RULES, Badge, Figure
from agentlens.comparison.html_parts import (
    Html,
    columns_table,
    element,
    folded,
    join,
    small,
    table,
)
from agentlens.comparison.trust import MapTrust

_MARKS = {"pass": "✓", "weak": "~", "fail": "✗", "not measured": "?"}
_HOW = (
    "Nothing was measured of these maps. Where their method can be measured, --badge-states 40 "
    "does so here, and `agentlens measure` puts controls beside them."
)


def badges_part(trust: tuple[MapTrust, ...]) -> Html:
    """A line an agent that opens to its numbers; nothing where there are no maps."""
    if not trust:
        return Html("")
    lead = element("p", "How far the maps can be believed", class_="eyebrow")
    return element("div", lead, *map(_line, trust), class_="badges")


def _line(trust: MapTrust) -> Html:
    name = element("span", f"{trust.agent}, {trust.method}", class_="whose")
    line = join([name, *map(_chip, trust.badges.all)])
    return folded(line, _numbers(trust) if trust.badges.measured else element("p", _HOW))


def _chip(badge: Badge) -> Html:
    kind = badge.verdict.replace(" ", "-")
    mark = element("span", _MARKS[badge.verdict], aria_hidden="true")
    return element("span", mark, f" {badge.name}: {badge.verdict}", class_=f"badge {kind}")


def _numbers(trust: MapTrust) -> Html:
    judged = table(
        f"{trust.states} states of {trust.agent}'s own play; intervals over {trust.units}",
        ("badge", "verdict", "numbers", "asks"),
        [
            (
                badge.name,
                badge.verdict,
                badge.text or "-",
                small(QUESTIONS[badge.name], RULES[badge.name]),
            )
            for badge in trust.badges.all
        ],
    )
    figures = columns_table(
        "What they rest on, with 95 % intervals",
        ("measure", "mean", "interval"),
        [(name, str(figure), _between(figure)) for name, figure in trust.figures.items()],
    )
    return join([judged, figures])


def _between(figure: Figure) -> str:
    if math.isnan(figure.low):
        return "-"
    return f"{figure.low:.2f} to {figure.high:.2f}"
