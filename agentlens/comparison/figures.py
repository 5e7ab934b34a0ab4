"""The page's figures as SVG: returns, differences, curves over training, where mass moves.

Every figure is narrow, with its labels above its marks, so that it can be read on a phone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from agentlens.comparison import svg
from agentlens.comparison.comparison import Comparison
from agentlens.comparison.mass import MassShift
from agentlens.comparison.returns import PairedDifference, Played, ReturnFigures
from agentlens.comparison.statistics import Interval
from agentlens.comparison.svg import AGENT_COLOURS, FAINT, INK, Axis, axis_over
from agentlens.comparison.words import interval_text, number, verdict_text

WIDTH, ROW, LEFT, RIGHT = 440, 62, 10, 14
_HALO = "paint-order:stroke;stroke:var(--page,#ffffff);stroke-width:5px;stroke-linejoin:round"
_CURVE_HEIGHT = 228
_LABEL_LETTERS = 50
"""Letters, most of them bold, that fit on a row's line."""
_NAME_LETTERS = 12
"""Letters of a name below a curve."""
_LETTER = 7.5
"""Width of a letter there, at most on average."""
_DARKEST = 0.85
"""Opacity of a cell at the end of the scale of mass shifts."""


def returns_figure(games: Sequence[Played], returns: Sequence[ReturnFigures]) -> str:
    """Every episode as a dot, paired seeds joined, and each agent's mean with its interval."""
    ends = [e for r in returns for e in (r.mean.low, r.mean.high)]
    axis = axis_over([v for g in games for v in g.returns], LEFT, WIDTH - RIGHT, hold=ends)
    bottom = 6 + ROW * len(games)
    tops = [6 + ROW * i for i in range(len(games))]
    parts = [svg.bottom_axis(axis, 6, bottom, "raw return of an episode")]
    for i, (upper, lower) in enumerate(itertools.pairwise(games)):
        place = dict(zip(lower.starts, lower.returns, strict=True))
        starts = zip(upper.starts, upper.returns, strict=True)
        parts += [
            svg.line(
                axis(own),
                tops[i] + 50,
                axis(place[start]),
                tops[i + 1] + 50,
                colour=FAINT,
                opacity=0.3,
            )
            for start, own in starts
            if start in place
        ]
    for i, (game, figures) in enumerate(zip(games, returns, strict=True)):
        about = f"mean {number(figures.mean.estimate)}"
        parts.append(_label(tops[i] + 14, game.agent, about))
        parts += [
            svg.mark(axis(v), tops[i] + 50, i, radius=4.5, opacity=0.55) for v in game.returns
        ]
        parts.append(_whisker(axis, figures.mean, tops[i] + 32, AGENT_COLOURS[i % 4]))
        parts.append(svg.mark(axis(figures.mean.estimate), tops[i] + 32, i, radius=6))
    return svg.figure(WIDTH, bottom + 44, "Returns by episode and their means", parts)


def differences_figure(differences: Sequence[PairedDifference]) -> str:
    """Every paired difference with its interval against zero."""
    ends = [e for d in differences for e in (d.difference.low, d.difference.high)]
    values = [d.difference.estimate for d in differences]
    axis = axis_over(values, LEFT, WIDTH - RIGHT, hold=(*ends, 0.0))
    names = [f"{_short(d.first)} minus {_short(d.second)}" for d in differences]
    verdicts = [verdict_text(d) for d in differences]
    below = any(
        len(name) + len(verdict) > _LABEL_LETTERS
        for name, verdict in zip(names, verdicts, strict=True)
    )
    row = ROW + 6 if below else ROW - 10
    bottom = 6 + row * len(differences)
    parts = [svg.bottom_axis(axis, 6, bottom, "paired difference of returns, 95 % interval")]
    zero = axis(0.0)
    parts.append(svg.line(zero, 4, zero, bottom, colour=INK, width=1.5))
    for i, paired in enumerate(differences):
        top, mark = 6 + row * i, 6 + row * i + (50 if below else 34)
        unclear = paired.verdict in ("cannot tell", "equal")
        colour = FAINT if unclear else INK
        parts.append(_label(top + 14, names[i], verdicts[i], below=below))
        parts.append(_whisker(axis, paired.difference, mark, colour))
        x = axis(paired.difference.estimate)
        fill = "var(--page,#ffffff)" if unclear else colour
        parts.append(
            f'<circle cx="{x}" cy="{mark}" r="6" '
            f'style="fill:{fill};stroke:{colour};stroke-width:2"/>'
        )
    return svg.figure(WIDTH, bottom + 44, "Paired differences of returns", parts)


def training_figures(comparison: Comparison) -> dict[str, str]:
    """Curves over the order given: returns, entropy on own states, agreement with the last."""
    labels = comparison.labels
    last = labels[-1]
    curves = {
        "return": _curve(
            "Mean return", "mean raw return", labels, [r.mean for r in comparison.returns]
        )
    }
    entropies: list[Interval | None] = [None] * len(labels)
    agreement: list[Interval | None] = [None] * len(labels)
    for b in comparison.behaviours:
        own = b.figures["first_entropy" if b.states_of == b.first else "second_entropy"]
        entropies[labels.index(b.states_of)] = own
        if b.second == last and b.states_of == last:
            agreement[labels.index(b.first)] = b.greedy_agreement
    if any(entropies):
        curves["entropy"] = _curve(
            "Entropy on own states", "entropy of action probabilities, nats", labels, entropies
        )
    if any(agreement):
        curves["agreement"] = _curve(
            f"Same greedy action as {last}", f"share of {last}'s states", labels, agreement
        )
    return curves


def shift_limit(shifts: Sequence[MassShift]) -> float:
    """The end of the scale that all mass shifts of a page share, as a share of all mass.

    Whole percentage points, and never below one, so that a small shift looks small.
    """
    largest = max((float(abs(s.shift).max()) for s in shifts), default=0.0)
    return max(0.01, math.ceil(100 * largest) / 100)


def shift_figure(
    moved: MassShift,
    screen: tuple[int, int],
    *,
    places: tuple[int, int],
    limit: float,
    picture: str = "",
) -> str:
    """Where either agent's maps have more of their mass, on the screen, above the scale.

    Args:
        moved: the shift.
        screen: rows and columns of the native screen.
        places: of the first and the second agent in the comparison, which give the colours.
        limit: the end of the scale, as a share of all mass.
        picture: a data URI of a screen to lay it on, or "".
    """
    rows, columns = screen
    grid, strongest = moved.grid, float(abs(moved.shift).max())
    edges = [_edges(centres, end) for centres, end in ((grid.rows, rows), (grid.columns, columns))]
    parts = [f'<rect width="{columns}" height="{rows}" style="fill:#1c2129"/>']
    if picture:
        parts.append(
            f'<image href="{picture}" width="{columns}" height="{rows}" '
            'style="image-rendering:pixelated"/>'
        )
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            value = float(moved.shift[i, j]) / limit
            if abs(value) < 0.03:
                continue
            (top, bottom), (left, right) = edges[0][i], edges[1][j]
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{bottom - top:.1f}" style="fill:{_more(value, places)};'
                f'fill-opacity:{_DARKEST * min(abs(value), 1.0):.2f}"/>'
            )
    parts += _shift_scale(rows, columns, places, limit)
    title = (
        f"{moved.role} on {moved.states_of}'s states: where {moved.first}'s or {moved.second}'s "
        f"maps have more of their mass; largest {number(100 * strongest)} percentage points a cell"
    )
    return svg.figure(columns, rows + 26, title, parts).replace(
        f"max-width:{columns}px", f"max-width:{2 * columns}px"
    )


def _more(value: float, places: tuple[int, int]) -> str:
    """The colour of the agent that has more."""
    return svg.BRIGHT[places[0 if value > 0 else 1] % 4]


def _shift_scale(rows: int, columns: int, places: tuple[int, int], limit: float) -> list[str]:
    """A bar from the second agent's colour to the first's, with numbers in percentage points."""
    steps, left, width = 20, 8, columns - 16
    parts = [f'<rect y="{rows}" width="{columns}" height="26" style="fill:var(--page,#fff)"/>']
    for k in range(steps):
        value = (2 * k + 1) / steps - 1
        parts.append(
            f'<rect x="{left + width * k / steps:.1f}" y="{rows + 4}" '
            f'width="{width / steps + 0.1:.1f}" height="6" style="fill:{_more(value, places)};'
            f'fill-opacity:{_DARKEST * abs(value):.2f}"/>'
        )
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = left + width * (value + 1) / 2
        written = svg.tick_text(round(100 * limit * abs(value), 6))
        parts.append(svg.text(x, rows + 20, written, size=8, anchor="middle", colour=FAINT))
    return parts


def _label(y: float, name: str, about: str, *, below: bool = False) -> str:
    """A row's name above its marks, with what is to say of it in grey, beside it or below."""
    place = f'x="{LEFT - 6}" dy="17"' if below else 'dx="8"'
    return (
        f'<text x="{LEFT - 6}" y="{y:.1f}" style="font-size:14px;fill:{INK};{_HALO}">'
        f'<tspan style="font-weight:600">{svg.escaped(name)}</tspan>'
        f'<tspan {place} style="fill:{FAINT}">{svg.escaped(about)}</tspan></text>'
    )


def _short(name: str) -> str:
    """A name of which two fit on a line."""
    most = (_LABEL_LETTERS - len(" minus ")) // 2
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most // 2) + 1 :]}"


def _curve(title: str, label: str, names: Sequence[str], values: Sequence[Interval | None]) -> str:
    top, bottom, left, width = 40, _CURVE_HEIGHT - 32, 52, WIDTH - 60
    known = [v for v in values if v is not None]
    ends = [e for v in known for e in (v.estimate, v.low, v.high)]
    axis = axis_over(ends, bottom, top)
    across = Axis(low=0, high=max(len(names) - 1, 1), start=left + 26, end=width - 36)
    parts = [svg.text(0, 14, title, size=14, bold=True), svg.text(0, 30, label, colour=FAINT)]
    for value in axis.ticks(4):
        y = axis(value)
        parts.append(svg.line(left, y, width - 8, y))
        parts.append(svg.text(left - 8, y + 4, svg.tick_text(value), anchor="end", colour=FAINT))
    places = [(across(i), v) for i, v in enumerate(values) if v is not None]
    banded = [(x, v) for x, v in places if math.isfinite(v.low)]
    outline = [(x, axis(v.low)) for x, v in banded] + [(x, axis(v.high)) for x, v in banded[::-1]]
    if len(banded) > 1:
        parts.append(svg.area(outline, colour=INK))
    parts.append(svg.run([(x, axis(v.estimate)) for x, v in places], colour=INK))
    for i, v in enumerate(values):
        if v is not None:
            label_open = f"<g><title>{svg.escaped(f'{names[i]}: {interval_text(v)}')}</title>"
            parts.append(label_open + svg.mark(across(i), axis(v.estimate), i) + "</g>")
    named = _named_places(len(names))
    for order, i in enumerate(named):
        name = names[i]
        short = name if len(name) <= _NAME_LETTERS else f"{name[:5]}…{name[-6:]}"
        lower = 14 * (order % 2) if len(named) > 3 else 0
        y, x = bottom + 20 + lower, across(i)
        beyond = x + len(short) * _LETTER / 2 > width
        place, anchor = (width - 1.0, "end") if beyond else (x, "middle")
        parts.append(svg.text(place, y, short, anchor=anchor, colour=FAINT))
    return svg.figure(width, _CURVE_HEIGHT + 10, title, parts)


def _named_places(count: int) -> list[int]:
    """Which of the agents below a curve are named: at most five, with the first and the last."""
    stride = max(1, -(-count // 4))
    places = [i for i in range(0, count, stride) if i == 0 or count - 1 - i >= stride]
    return places if count == 1 else [*places, count - 1]


def _whisker(axis: Axis, interval: Interval, y: float, colour: str) -> str:
    if not math.isfinite(interval.low):
        return ""
    low, high = axis(interval.low), axis(interval.high)
    return svg.line(low, y, high, y, colour=colour, width=3) + "".join(
        svg.line(x, y - 6, x, y + 6, colour=colour, width=2) for x in (low, high)
    )


def _edges(centres: Sequence[float], end: int) -> list[tuple[float, float]]:
    """From cell centres to (start, end) in pixels: half-way to the neighbours."""
    half = (centres[1] - centres[0]) / 2 if len(centres) > 1 else end / 2
    middles = [(a + b) / 2 + 0.5 for a, b in itertools.pairwise(centres)]
    starts = [max(0.0, centres[0] + 0.5 - half), *middles]
    return list(zip(starts, [*middles, min(float(end), centres[-1] + 0.5 + half)], strict=True))
