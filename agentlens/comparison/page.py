"""The report as one HTML page: no script, no request, every string escaped."""

from __future__ import annotations

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.html_parts import (
    Html,
    element,
    folded,
    glossary,
    join,
    listing,
    picture,
    safe,
)
from agentlens.comparison.layers_table import layers_table
from agentlens.comparison.page_badges import badges_part
from agentlens.comparison.page_pictures import (
    Drawn,
    moments_section,
    shifts_part,
    training_section,
    videos_section,
)
from agentlens.comparison.page_tables import (
    actions_section,
    bias_table,
    differences_table,
    maps_table,
    objects_table,
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
    "default-src 'none'; img-src data:; media-src 'self' file:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)


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
        element("p", summary(comparison), *_more_of(comparison), class_="lead"),
        badges_part(comparison.trust),
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


def _more_of(comparison: Comparison) -> list[str]:
    """Where the figures are of all the pairs that the summary does not tell."""
    if len(comparison.agents) == 2:
        return []
    return [" ", element("a", f"All {len(comparison.differences)} differences", href="#returns")]


def _sections(comparison: Comparison, drawn: Drawn) -> list[tuple[str, str, Html]]:
    return [
        ("videos", "Videos", videos_section(drawn)),
        ("returns", "Returns", _returns(comparison, drawn)),
        ("order", "In the order given", training_section(drawn)),
        ("actions", "Actions on shared states", actions_section(comparison)),
        ("objects", "What they act for", objects_table(comparison)),
        ("maps", "What they look at", _maps(comparison, drawn)),
        ("layers", "Layers", layers_table(comparison.layers)),
        ("moments", "Moments", moments_section(drawn)),
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


def _maps(comparison: Comparison, drawn: Drawn) -> Html:
    return join([maps_table(comparison), shifts_part(comparison, drawn)])


def _methods(comparison: Comparison) -> Html:
    return join(
        [
            element("p", methods(comparison)),
            folded("What each measure means", glossary(definitions())),
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
