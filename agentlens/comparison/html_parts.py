"""Pieces of HTML in which every string is escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from agentlens.comparison.statistics import Interval
from agentlens.comparison.words import interval_text, share_text


class Html(str):
    """Markup that is ready; every other string is escaped before it reaches the page."""

    __slots__ = ()


def safe(value: str) -> Html:
    """Escape a string; markup stays as it is."""
    return value if isinstance(value, Html) else Html(html.escape(value))


def element(name: str, *children: str, **attributes: str) -> Html:
    """An element; ``_`` in attribute names stands for ``-``, and ``class_`` for ``class``."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{''.join(safe(c) for c in children)}</{name}>")


def join(parts: Sequence[str]) -> Html:
    """Markup one after another."""
    return Html("".join(safe(p) for p in parts))


def table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose rows become blocks of named values where the page is narrow."""
    head = element("tr", *(element("th", h, scope="col") for h in headings))
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", c, data_name=h) for h, c in zip(headings[1:], row[1:], strict=True)),
        )
        for row in rows
    ]
    inside = (element("thead", head), element("tbody", *body))
    return element("table", element("caption", caption), *inside, class_="rows")


def columns_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table of few columns that stays one on a narrow page: a figure a row."""
    head = element("tr", *(element("th", h, scope="col") for h in headings))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", c) for c in row[1:]))
        for row in rows
    ]
    inside = (element("thead", head), element("tbody", *body))
    return element("table", element("caption", caption), *inside)


def cell(interval: Interval | None, *, share: bool = False, signed: bool = False) -> Html:
    """A figure with its interval small below it."""
    words = share_text(interval) if share else interval_text(interval, signed=signed)
    estimate, bracket, rest = words.partition(" [")
    return small(estimate, f"[{rest}") if bracket else safe(estimate)


def small(words: str, below: str) -> Html:
    """Words with smaller ones below them."""
    return join([words, element("span", below, class_="range")])


def each(cells: Sequence[str]) -> Html:
    """A cell of each agent, one below the other."""
    return join([element("span", content, class_="each") for content in cells])


def glossary(entries: Mapping[str, str]) -> Html:
    """A list of terms with what they mean."""
    pairs = [
        join([element("dt", name), element("dd", meaning)]) for name, meaning in entries.items()
    ]
    return element("dl", *pairs)


def picture(svg_or_image: str, caption: str) -> Html:
    """A figure with its caption."""
    return element("figure", Html(svg_or_image), element("figcaption", caption))


def video(file: str, meaning: str) -> Html:
    """A video beside the page with its controls; where it is not there, its name remains."""
    player = Html(
        f'<video controls muted loop preload="metadata" src="{html.escape(file)}"></video>'
    )
    return element(
        "figure", player, element("figcaption", element("a", file, href=file), f": {meaning}")
    )


def folded(line: str, content: str) -> Html:
    """Content behind a line that opens it."""
    return element("details", element("summary", line), content)


def image(uri: str, alternative: str) -> Html:
    """A picture carried in the page."""
    return Html(f'<img src="{html.escape(uri)}" alt="{html.escape(alternative)}">')


def listing(items: Sequence[str]) -> Html:
    """Bullets."""
    return element("ul", *(element("li", item) for item in items))
