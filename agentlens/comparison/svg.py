"""Small pieces of SVG: marks, text and axes whose colours follow the page they stand on.

Colours are CSS variables with a fallback, so that a figure is dark on a dark page and readable as
a file of its own.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

INK, FAINT, LINE = "var(--ink,#1b2330)", "var(--faint,#5d6878)", "var(--line,#c9d0da)"
AGENT_COLOURS = (
    "var(--agent-1,#147a3c)",
    "var(--agent-2,#b0308a)",
    "var(--agent-3,#64676d)",
    "var(--agent-4,#6d7f00)",
)
"""None of them a colour of heat (orange, blue, lilac); every agent has a shape besides."""
BRIGHT = ("#48c670", "#f080c4", "#969696", "#bfd95a")
"""The same, to lie on a dark screen; as in the videos."""

FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A linear axis: data from ``low`` to ``high`` onto pixels ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixel of a value, to a hundredth."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)

    def ticks(self, about: int = 6) -> list[float]:
        """Round values within the axis."""
        step = nice_step((self.high - self.low) / about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def axis_over(
    values: Sequence[float], start: float, end: float, *, hold: Sequence[float] = ()
) -> Axis:
    """An axis that holds all finite ``values`` and ``hold`` with a margin of 4 %."""
    finite = [v for v in (*values, *hold) if math.isfinite(v)] or [0.0]
    low, high = min(finite), max(finite)
    margin = 0.04 * (high - low) or max(0.5, 0.05 * abs(high))
    return Axis(low=low - margin, high=high + margin, start=start, end=end)


def nice_step(size: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``size``.

    Example:
        >>> nice_step(3.2), nice_step(0.011)
        (5.0, 0.02)
    """
    power = 10.0 ** math.floor(math.log10(size))
    return next(round(m * power, 12) for m in (1, 2, 5, 10) if m * power >= size * (1 - 1e-9))


def figure(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    """A complete ``<svg>`` that scales to its place and says ``title`` to a screen reader."""
    name = html.escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{name}" style="width:100%;max-width:{width}px;height:auto;{FONT}">'
        f"<title>{name}</title>{''.join(parts)}</svg>"
    )


def escaped(words: str) -> str:
    """Words as text of an SVG element."""
    return html.escape(words)


def text(
    x: float,
    y: float,
    words: str,
    *,
    size: int = 13,
    anchor: str = "start",
    colour: str = INK,
    bold: bool = False,
) -> str:
    """One line of text; ``anchor``: start, middle or end."""
    weight = ";font-weight:600" if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'style="font-size:{size}px;fill:{colour}{weight}">{html.escape(words)}</text>'
    )


def line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    *,
    colour: str = LINE,
    width: float = 1.0,
    dash: str = "",
    opacity: float = 1.0,
) -> str:
    """A straight line."""
    style = f"stroke:{colour};stroke-width:{width};stroke-opacity:{opacity}"
    dashes = f";stroke-dasharray:{dash}" if dash else ""
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" style="{style}{dashes}"/>'
    )


def area(points: Sequence[tuple[float, float]], *, colour: str, opacity: float = 0.15) -> str:
    """A filled outline."""
    places = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f'<polygon points="{places}" style="fill:{colour};fill-opacity:{opacity}"/>'


def run(points: Sequence[tuple[float, float]], *, colour: str, width: float = 2.0) -> str:
    """A line through points."""
    places = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
    style = f"fill:none;stroke:{colour};stroke-width:{width};stroke-linejoin:round"
    return f'<polyline points="{places}" style="{style}"/>'


def mark(x: float, y: float, agent: int, *, radius: float = 5.0, opacity: float = 1.0) -> str:
    """An agent's mark: circle, square, triangle or diamond, in its colour."""
    style = f"fill:{AGENT_COLOURS[agent % 4]};fill-opacity:{opacity}"
    if agent % 4 == 0:
        return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius}" style="{style}"/>'
    if agent % 4 == 1:
        side = 1.75 * radius
        return (
            f'<rect x="{x - side / 2:.2f}" y="{y - side / 2:.2f}" width="{side:.2f}" '
            f'height="{side:.2f}" style="{style}"/>'
        )
    r = 1.25 * radius
    corners = (
        ((x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r))
        if agent % 4 == 2
        else ((x, y - r), (x + r, y), (x, y + r), (x - r, y))
    )
    places = " ".join(f"{a:.2f},{b:.2f}" for a, b in corners)
    return f'<polygon points="{places}" style="{style}"/>'


def tick_text(value: float) -> str:
    """A tick's label without needless zeros."""
    return f"{value:.10g}" if abs(value) >= 1e-12 else "0"


def bottom_axis(axis: Axis, top: float, bottom: float, label: str) -> str:
    """Vertical grid lines with numbers and a label below them."""
    parts = []
    for value in axis.ticks():
        x = axis(value)
        parts.append(line(x, top, x, bottom))
        parts.append(text(x, bottom + 17, tick_text(value), anchor="middle", colour=FAINT))
    middle = (axis.start + axis.end) / 2
    parts.append(text(middle, bottom + 36, label, anchor="middle", colour=FAINT))
    return "".join(parts)
