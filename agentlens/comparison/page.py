"""The report as one HTML page: no script, no request, every string escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.html_parts import (
    Html,
    element,
    glossary,
    image,
    join,
    listing,
    picture,
    safe,
)
from agentlens.comparison.moments import MEANINGS, Kind, Moment
from agentlens.comparison.page_tables import (
    actions_section,
    bias_table,
    differences_table,
    maps_table,
    returns_table,
)
from agentlens.comparison.style import STYLE
from agentlens.comparison.words import (
    definitions,
    methods,
    number,
    percent,
    standing_notes,
    summary,
    verdict_text,
)

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
_KINDS: dict[Kind, str] = {
    "policy": "Where they choose differently",
    "value": "Where they value differently",
    "maps": "Where they look differently",
    "random": "At random",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Still:
    """A moment's picture: ``uri`` a data URI, ``video`` a link ("same_states.mp4#t=3.2") or ""."""

    moment: Moment
    uri: str
    video: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Everything drawn for the page: SVG by name and group, stills, and what each video shows."""

    returns: str
    differences: str
    training: Mapping[str, str]
    shifts: Sequence[str]
    stills: Sequence[Still]
    videos: Mapping[str, str]


def page(comparison: Comparison, drawn: Drawn) -> str:
    """Build the whole document."""
    game = comparison.agents[0].game
    labels = comparison.labels
    title = f"{labels[0]} and {labels[1]}" if len(labels) == 2 else f"{len(labels)} agents in order"
    sections = [s for s in _sections(comparison, drawn) if s[2]]
    links = [element("li", element("a", name, href=f"#{key}")) for key, name, _ in sections]
    body = [
        element("section", element("h2", name), content, id=key) for key, name, content in sections
    ]
    top = element(
        "header",
        element("p", f"agentlens · policies compared · {game}", class_="eyebrow"),
        element("h1", title),
        element("p", summary(comparison), class_="lead"),
        element("nav", element("ul", *links), aria_label="Sections"),
    )
    versions = comparison.made.get("versions", {})
    foot = element("footer", f"Made by agentlens {versions.get('agentlens', '')}.")
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", f"{title} · {game} · agentlens"),
            Html(f"<style>{STYLE}</style>"),
        ]
    )
    skip = element("a", "Skip to the results", class_="skip", href="#main")
    main = element("main", _cards(comparison), _notes(comparison), *body, id="main")
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>'
        f"<body>{skip}{top}{main}{foot}</body></html>\n"
    )


def _sections(comparison: Comparison, drawn: Drawn) -> list[tuple[str, str, Html]]:
    return [
        ("returns", "Returns", _returns(comparison, drawn)),
        ("order", "In the order given", _training(drawn)),
        ("actions", "Actions on shared states", actions_section(comparison)),
        ("maps", "What they look at", _maps(comparison, drawn)),
        ("moments", "Moments", _moments(drawn)),
        ("videos", "Videos", _videos(drawn)),
        ("methods", "How this was measured", _methods(comparison)),
        ("provenance", "Provenance", _provenance(comparison)),
    ]


def _cards(comparison: Comparison) -> Html:
    if len(comparison.agents) != 2:
        return Html("")
    paired = comparison.differences[0]
    low, high = (number(e, signed=True) for e in (paired.difference.low, paired.difference.high))
    about = f"95 % interval {low} to {high}: {verdict_text(paired)}"
    cards = [
        _card(
            "difference of returns",
            number(paired.difference.estimate, signed=True),
            about if low != "-" else "one pair of episodes: cannot tell",
        )
    ]
    cards += [
        _card(
            "same greedy action",
            percent(b.greedy_agreement.estimate),
            f"of {b.states_of}'s {b.states} states",
        )
        for b in comparison.behaviours[:2]
    ]
    actor = [s for s in comparison.similarities if s.role == "actor"]
    raw = actor[0].figures.get("spearman") if actor else None
    if raw is not None:
        controlled = actor[0].figures.get("spearman_partial")
        cards.append(
            _card(
                "similarity of maps" + (" without energy" if controlled else ""),
                number((controlled or raw).estimate),
                f"rank correlation, {actor[0].states} states; raw {number(raw.estimate)}",
            )
        )
    return element("div", *cards, class_="cards")


def _card(what: str, figure: str, about: str) -> Html:
    return element(
        "div",
        element("p", what, class_="what"),
        element("p", figure, class_="figure"),
        element("p", about, class_="about"),
        class_="card",
    )


def _notes(comparison: Comparison) -> Html:
    notes = (*comparison.notes, *standing_notes(comparison))
    return element("aside", element("strong", "Before you read on"), listing(notes), class_="notes")


def _returns(comparison: Comparison, drawn: Drawn) -> Html:
    return join(
        [
            picture(
                drawn.returns,
                "Small marks: whole games; lines join games from the same seed. Large marks and "
                "bars: means with 95 % intervals.",
            ),
            returns_table(comparison),
            picture(
                drawn.differences,
                "Differences on the same seeds, with the interval of the difference itself; "
                "hollow: cannot tell, once corrected for the number of differences.",
            ),
            differences_table(comparison),
            bias_table(comparison),
        ]
    )


def _training(drawn: Drawn) -> Html:
    if not drawn.training:
        return Html("")
    figures = [element("figure", Html(f)) for f in drawn.training.values()]
    return join(
        [
            element("p", "Agents from left to right as they were given; bands are 95 % intervals."),
            element("div", *figures, class_="figures"),
        ]
    )


def _maps(comparison: Comparison, drawn: Drawn) -> Html:
    captions = [
        f"{s.role}, {s.states_of}'s states: {s.first}'s maps have {number(100 * s.gain)} "
        f"percentage points more of their mass in the {s.region}"
        for s in comparison.shifts
    ]
    figures = [picture(f, c) for f, c in zip(drawn.shifts, captions, strict=True)]
    legend = "Orange: the first agent's maps have more of their mass there; blue: the second's."
    return join(
        [
            maps_table(comparison),
            element("p", legend) if figures else "",
            element("div", *figures, class_="shifts") if figures else "",
        ]
    )


def _moments(drawn: Drawn) -> Html:
    parts: list[str] = []
    for kind, title in _KINDS.items():
        stills = [s for s in drawn.stills if s.moment.kind == kind]
        if not stills:
            continue
        parts.append(element("h3", title))
        parts.append(
            element(
                "p",
                f"States where {MEANINGS[kind]}."
                if kind != "random"
                else f"States {MEANINGS[kind]}.",
                class_="quiet",
            )
        )
        parts.append(element("div", *(_still(s) for s in stills), class_="moments"))
    return join(parts)


def _still(still: Still) -> Html:
    m = still.moment
    amount = f" · {m.measure} {number(m.amount)}" if m.kind != "random" else ""
    where = f"{m.first} and {m.second} on {m.states_of}'s episode {m.episode}, step {m.step}"
    link = join([" · ", element("a", "in the video", href=still.video)]) if still.video else ""
    return element(
        "figure",
        image(still.uri, f"{where}: the screen with both agents' maps and action probabilities"),
        element("figcaption", where, amount, link),
    )


def _videos(drawn: Drawn) -> Html:
    return (
        listing(
            [
                join([element("a", name, href=name), f": {meaning}"])
                for name, meaning in drawn.videos.items()
            ]
        )
        if drawn.videos
        else Html("")
    )


def _methods(comparison: Comparison) -> Html:
    return join(
        [
            element("p", methods(comparison)),
            element(
                "details", element("summary", "What each measure means"), glossary(definitions())
            ),
        ]
    )


def _provenance(comparison: Comparison) -> Html:
    agents = {
        c.label: safe(
            f"{c.name}, {c.algorithm or 'algorithm not stated'}; {c.protocol}; "
            f"weights {c.weights[:16] or 'none'}; recording seed {c.seed}"
        )
        for c in comparison.agents
    }
    made = {
        key: str(comparison.made[key])
        for key in ("created", "python", "platform")
        if key in comparison.made
    }
    versions = ", ".join(f"{n} {v}" for n, v in comparison.made.get("versions", {}).items())
    return glossary({**agents, **made, "versions": versions})
