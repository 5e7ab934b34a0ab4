"""Pictures and tables as one page: it holds them itself, runs no script and asks nobody."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PagePicture:
    """A picture of the page. ``png``: the file. ``alt``: it in words. ``title``: above it, "" for
    none; ``text``: between them."""

    png: bytes
    alt: str
    title: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """A table of the page: ``title`` above it, ``note`` below."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class FigurePage:
    """What the page shows, in this order; ``caveat`` at its end."""

    title: str
    lead: str
    pictures: Sequence[PagePicture]
    tables: Sequence[PageTable]
    caveat: str


def figure_page(page: FigurePage) -> str:
    """The page as HTML; about the pictures' bytes and a third."""
    title = html.escape(page.title)
    pictures = "\n".join(_picture(picture) for picture in page.pictures)
    tables = "\n".join(_table(table) for table in page.tables)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · agentlens</title><style>{_STYLE}</style></head>
<body><h1>{title}</h1><p class="lead">{html.escape(page.lead)}</p>
{pictures}
{tables}
<p class="quiet">{html.escape(page.caveat)}</p></body></html>
"""


def _picture(picture: PagePicture) -> str:
    source = base64.b64encode(picture.png).decode()
    title = f"<h2>{html.escape(picture.title)}</h2>" if picture.title else ""
    text = f"<p>{html.escape(picture.text)}</p>" if picture.text else ""
    alt = html.escape(picture.alt)
    return f'{title}{text}<img src="data:image/png;base64,{source}" alt="{alt}">'


def _table(table: PageTable) -> str:
    heads = "".join(f'<th scope="col">{html.escape(head)}</th>' for head in table.heads)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table.rows
    )
    note = f'<p class="quiet">{html.escape(table.note)}</p>' if table.note else ""
    return f"""<h2>{html.escape(table.title)}</h2><div class="wide"><table>
<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{note}"""


_STYLE = """
:root { color-scheme: light dark; --page:#ffffff; --ink:#1b2330; --faint:#566172;
  --line:#d5dbe4; }
@media (prefers-color-scheme: dark) { :root { --page:#0f1319; --ink:#e8ecf2; --faint:#9aa5b5;
  --line:#333c4a; } }
body { background: var(--page); color: var(--ink); margin: 1.5rem auto; max-width: 84rem;
  padding: 0 1rem; line-height: 1.5;
  font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p { max-width: 60rem; overflow-wrap: anywhere; margin: .3rem 0 .8rem; }
.lead { font-size: 1.1rem; }
img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 8px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
.quiet { color: var(--faint); }
"""
