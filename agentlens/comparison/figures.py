"""The page's figures as SVG: returns, differences, curves over training, where mass moves."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from agentlens.comparison import svg
from agentlens.comparison.comparison import Comparison
from agentlens.comparison.mass import MassShift
from agentlens.comparison.returns import PairedDifference, Played, ReturnFigures
from agentlens.comparison.statistics import Interval
from agentlens.comparison.svg import AGENT_COLOURS, FAINT, Axis, axis_over
from agentlens.comparison.words import interval_text, number, percent, verdict_text

WIDTH, ROW, LEFT, RIGHT = 760, 46, 190, 20
MORE, LESS = "var(--more,#b4530a)", "var(--less,#0b6fb8)"


def returns_figure(games: Sequence[Played], returns: Sequence[ReturnFigures]) -> str:
    """Every episode as a dot, paired seeds joined, and each agent's mean with its interval."""
    ends = [e for r in returns for e in (r.mean.low, r.mean.high)]
    axis = axis_over([v for g in games for v in g.returns], LEFT, WIDTH - RIGHT, hold=ends)
    bottom = 16 + ROW * len(games)
    parts = [svg.bottom_axis(axis, 10, bottom, "raw return of an episode")]
    middles = [16 + ROW * i + ROW / 2 for i in range(len(games))]
    for i, (upper, lower) in enumerate(itertools.pairwise(games)):
        place = dict(zip(lower.starts, lower.returns, strict=True))
        parts += [
            svg.line(
                axis(own),
                middles[i] + 7,
                axis(place[start]),
                middles[i + 1] + 7,
                colour=FAINT,
                opacity=0.45,
            )
            for start, own in zip(upper.starts, upper.returns, strict=True)
            if start in place
        ]
    for i, (game, figures) in enumerate(zip(games, returns, strict=True)):
        y = middles[i]
        parts.append(svg.text(LEFT - 16, y + 1, game.agent, anchor="end", bold=True))
        about = f"mean {number(figures.mean.estimate)}"
        parts.append(svg.text(LEFT - 16, y + 17, about, size=12, anchor="end", colour=FAINT))
        parts += [svg.mark(axis(v), y + 7, i, radius=4.5, opacity=0.55) for v in game.returns]
        parts.append(_whisker(axis, figures.mean, y - 9, AGENT_COLOURS[i % 4]))
        parts.append(svg.mark(axis(figures.mean.estimate), y - 9, i, radius=6))
    return svg.figure(WIDTH, bottom + 46, "Returns by episode and their means", parts)


def differences_figure(differences: Sequence[PairedDifference]) -> str:
    """Every paired difference with its interval against zero."""
    ends = [e for d in differences for e in (d.difference.low, d.difference.high)]
    values = [d.difference.estimate for d in differences]
    left = 250
    axis = axis_over(values, left, WIDTH - RIGHT, hold=(*ends, 0.0))
    bottom = 12 + ROW * len(differences)
    parts = [svg.bottom_axis(axis, 8, bottom, "paired difference of returns, with 95 % interval")]
    zero = axis(0.0)
    parts.append(svg.line(zero, 4, zero, bottom, colour=svg.INK, width=1.5))
    for i, paired in enumerate(differences):
        y = 12 + ROW * i + ROW / 2
        unclear = paired.verdict in ("cannot tell", "equal")
        colour = FAINT if unclear else MORE if paired.difference.estimate > 0 else LESS
        name = f"{paired.first} minus {paired.second}"
        parts.append(svg.text(left - 16, y - 2, name, anchor="end", bold=True))
        parts.append(
            svg.text(left - 16, y + 14, verdict_text(paired), size=12, anchor="end", colour=FAINT)
        )
        parts.append(_whisker(axis, paired.difference, y, colour))
        x = axis(paired.difference.estimate)
        fill = "var(--page,#ffffff)" if unclear else colour
        parts.append(
            f'<circle cx="{x}" cy="{y}" r="6" style="fill:{fill};stroke:{colour};stroke-width:2"/>'
        )
    return svg.figure(WIDTH, bottom + 46, "Paired differences of returns", parts)


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


def shift_figure(moved: MassShift, screen: tuple[int, int], picture: str = "") -> str:
    """Where the first agent's maps have more (warm) or less (cool) of their mass, on the screen.

    Args:
        moved: the shift.
        screen: rows and columns of the native screen.
        picture: a data URI of a screen to lay it on, or "".
    """
    rows, columns = screen
    grid, strongest = moved.grid, float(abs(moved.shift).max()) or 1.0
    edges = [_edges(centres, end) for centres, end in ((grid.rows, rows), (grid.columns, columns))]
    parts = [f'<rect width="{columns}" height="{rows}" style="fill:#1c2129"/>']
    if picture:
        parts.append(
            f'<image href="{picture}" width="{columns}" height="{rows}" '
            'style="image-rendering:pixelated"/>'
        )
    for i in range(grid.shape[0]):
        for j in range(grid.shape[1]):
            value = float(moved.shift[i, j])
            opacity = 0.9 * abs(value) / strongest
            if opacity < 0.03:
                continue
            (top, bottom), (left, right) = edges[0][i], edges[1][j]
            colour = "#ff9430" if value > 0 else "#3fa9ff"
            parts.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" '
                f'height="{bottom - top:.1f}" style="fill:{colour};fill-opacity:{opacity:.2f}"/>'
            )
    key = f"{moved.first} more (orange), {moved.second} more (blue)"
    title = (
        f"{moved.role} on {moved.states_of}'s states: {key}; strongest cell "
        f"{percent(strongest)} of the mass"
    )
    return svg.figure(columns, rows, title, parts).replace(
        f"max-width:{columns}px", f"max-width:{2 * columns}px"
    )


def _curve(title: str, label: str, names: Sequence[str], values: Sequence[Interval | None]) -> str:
    height, top, bottom, left = 250, 34, 196, 64
    known = [v for v in values if v is not None]
    ends = [e for v in known for e in (v.estimate, v.low, v.high)]
    axis = axis_over(ends, bottom, top)
    across = Axis(low=0, high=max(len(names) - 1, 1), start=left + 26, end=WIDTH // 2 - 36)
    parts = [svg.text(0, 14, title, bold=True), svg.text(0, 30, label, size=11, colour=FAINT)]
    for value in axis.ticks(4):
        y = axis(value)
        parts.append(svg.line(left, y, WIDTH // 2 - 8, y))
        parts.append(
            svg.text(left - 8, y + 4, svg.tick_text(value), size=11, anchor="end", colour=FAINT)
        )
    places = [(across(i), v) for i, v in enumerate(values) if v is not None]
    banded = [(x, v) for x, v in places if math.isfinite(v.low)]
    outline = [(x, axis(v.low)) for x, v in banded] + [(x, axis(v.high)) for x, v in banded[::-1]]
    if len(banded) > 1:
        parts.append(svg.area(outline, colour=AGENT_COLOURS[0]))
    parts.append(svg.run([(x, axis(v.estimate)) for x, v in places], colour=AGENT_COLOURS[0]))
    for x, v in places:
        label_open = f"<g><title>{interval_text(v)}</title>"
        parts.append(label_open + svg.mark(x, axis(v.estimate), 0) + "</g>")
    stride = max(1, -(-len(names) // 5))
    for i, name in enumerate(names):
        if i % stride == 0 or i == len(names) - 1:
            short = name if len(name) <= 14 else f"{name[:6]}…{name[-7:]}"
            parts.append(
                svg.text(across(i), bottom + 22, short, size=11, anchor="middle", colour=FAINT)
            )
    return svg.figure(WIDTH // 2, height - 22, title, parts)


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
