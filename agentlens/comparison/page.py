"""The report as one HTML page: no script, no request, every string escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentlens.comparison.comparison import Comparison
from agentlens.comparison.html_parts import (
    Html,
    cell,
    definitions,
    element,
    image,
    join,
    listing,
    pair,
    picture,
    safe,
    small,
    table,
)
from agentlens.comparison.moments import MEANINGS, Kind, Moment
from agentlens.comparison.statistics import Interval
from agentlens.comparison.style import STYLE
from agentlens.comparison.words import (
    DEFINITIONS,
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
    game = comparison.contestants[0].game
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
        ("actions", "Actions on shared states", _actions(comparison)),
        ("maps", "What they look at", _maps(comparison, drawn)),
        ("moments", "Moments", _moments(drawn)),
        ("videos", "Videos", _videos(drawn)),
        ("methods", "How this was measured", _methods(comparison)),
        ("provenance", "Provenance", _provenance(comparison)),
    ]


def _cards(comparison: Comparison) -> Html:
    cards = []
    if len(comparison.contestants) == 2:
        found = comparison.differences[0]
        low, high = (number(e, signed=True) for e in (found.difference.low, found.difference.high))
        about = f"95 % interval {low} to {high}: {verdict_text(found)}"
        cards.append(
            _card(
                "difference of returns",
                number(found.difference.estimate, signed=True),
                about if low != "-" else "one pair of episodes: cannot tell",
            )
        )
    for b in comparison.behaviours[:2] if len(comparison.contestants) == 2 else ():
        cards.append(
            _card(
                "same greedy action",
                percent(b.greedy_agreement.estimate),
                f"of {b.states_of}'s {b.states} states",
            )
        )
    actor = [s for s in comparison.similarities if s.role == "actor"]
    if actor and len(comparison.contestants) == 2:
        control = actor[0].spearman_partial or actor[0].spearman
        cards.append(
            _card(
                "similarity of maps" + (" without energy" if actor[0].spearman_partial else ""),
                number(control.estimate) if control else "-",
                f"rank correlation, {actor[0].states} states; raw "
                f"{number(actor[0].spearman.estimate) if actor[0].spearman else '-'}",
            )
        )
    return element("div", *cards, class_="cards") if cards else Html("")


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
    pairs = [
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
    parts = [
        picture(
            drawn.returns,
            "Small marks: whole games; lines join games from the same seed. Large marks and bars: "
            "means with 95 % intervals.",
        ),
        table(
            "Returns by agent",
            (
                "agent",
                "mean",
                "median",
                "interquartile mean",
                "range",
                "distinct episodes",
                "steps",
            ),
            rows,
        ),
        picture(
            drawn.differences,
            "Differences on the same seeds, with the interval of the difference itself; "
            "hollow: cannot "
            "tell, once corrected for the number of differences.",
        ),
        table(
            "Paired differences of returns",
            (
                "pair",
                "difference",
                "verdict",
                "probability of improvement",
                "p, Holm",
                "distinct pairs",
            ),
            pairs,
        ),
    ]
    biases = [
        (b.agent, cell(b.bias, signed=True), f"{b.reward}, gamma {b.gamma:g}", str(b.states))
        for b in comparison.biases
    ]
    if biases:
        parts.append(
            table("Value bias", ("agent", "value minus return", "reward", "own states"), biases)
        )
    return join(parts)


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


def _actions(comparison: Comparison) -> Html:
    if not comparison.behaviours:
        return Html("")
    rows = [
        (
            f"{b.first} and {b.second}",
            small(f"{b.states_of}'s", f"{b.states} states, {_games(b.episodes)}"),
            cell(b.greedy_agreement, share=True),
            cell(b.sampled_agreement, share=True),
            pair(_share(b.first_self), _share(b.second_self)),
            cell(b.kl_first_second),
            cell(b.kl_second_first),
            cell(b.total_variation),
            cell(b.value_correlation),
            pair(_number(b.first_entropy), _number(b.second_entropy)),
        )
        for b in comparison.behaviours
    ]
    headings = (
        "pair",
        "on the states of",
        "same greedy action",
        "same sampled action",
        "each with itself",
        "KL first to second",
        "KL second to first",
        "total variation",
        "value correlation",
        "entropies",
    )
    said = element(
        "p",
        "Each agent was asked about the states that the other lived through. Rows are kept apart "
        "by whose states they are: an agent is at home on its own and a guest on the other's.",
    )
    parts = [said, table("Actions on shared states", headings, rows)]
    if comparison.burn_ins:
        parts.append(element("h3", "Memory on another's states"))
        parts.append(
            table(
                "Effect of a burn-in",
                ("agent", "on the states of", "memory of the last", "total variation", "states"),
                [
                    (
                        b.agent,
                        b.states_of,
                        f"{b.steps} decisions",
                        number(b.total_variation),
                        str(b.states),
                    )
                    for b in comparison.burn_ins
                ],
            )
        )
    return join(parts)


def _maps(comparison: Comparison, drawn: Drawn) -> Html:
    if not comparison.similarities:
        return Html("")
    rows = [
        (
            f"{s.first} and {s.second}",
            s.role,
            small(f"{s.states_of}'s", f"{s.states - s.undefined} states"),
            cell(s.spearman),
            cell(s.spearman_partial),
            cell(s.top_overlap, share=True),
            cell(s.elsewhere),
            pair(_number(s.first_energy), _number(s.second_energy)),
            cell(s.floor),
        )
        for s in comparison.similarities
    ]
    headings = (
        "pair",
        "maps of the",
        "on the states of",
        "rank correlation",
        "without energy",
        "top 5 %",
        "other moments",
        "each with energy",
        "floor",
    )
    said = element(
        "p",
        "A similarity is never read alone: maps of any two agents agree where both follow the "
        "picture. Hold the first column against the ones after it.",
    )
    captions = [
        f"{s.role}, {s.states_of}'s states: {s.first}'s maps have {number(100 * s.gain)} "
        f"percentage points more of their mass in the {s.region}"
        for s in comparison.shifts
    ]
    figures = [picture(f, c) for f, c in zip(drawn.shifts, captions, strict=True)]
    return join(
        [
            said,
            table("Similarity of saliency maps", headings, rows),
            element(
                "p",
                "Orange: the first agent's maps have more of their mass there; blue: the second's.",
            )
            if figures
            else "",
            element("div", *figures, class_="shifts"),
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
                join([element("a", name, href=name), f": {said}"])
                for name, said in drawn.videos.items()
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
                "details", element("summary", "What each measure means"), definitions(DEFINITIONS)
            ),
        ]
    )


def _provenance(comparison: Comparison) -> Html:
    agents = {
        c.label: safe(
            f"{c.name}, {c.algorithm or 'algorithm not stated'}; {c.protocol}; "
            f"weights {c.weights[:16] or 'none'}; recording seed {c.seed}"
        )
        for c in comparison.contestants
    }
    made = {
        key: str(comparison.made[key])
        for key in ("created", "python", "platform")
        if key in comparison.made
    }
    versions = ", ".join(f"{n} {v}" for n, v in comparison.made.get("versions", {}).items())
    return definitions({**agents, **made, "versions": versions})


def _games(count: int) -> str:
    return f"{count} game{'s' if count != 1 else ''}"


def _share(interval: Interval | None) -> str:
    return percent(interval.estimate) if interval is not None else "-"


def _number(interval: Interval | None) -> str:
    return number(interval.estimate) if interval is not None else "-"
