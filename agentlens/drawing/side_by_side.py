"""Up to four agents beside each other: own games, the same states, or the difference of two maps.

Every column is a film of one agent. Films run together in game time: a picture changes when any
of them does, and one that has ended keeps its last picture under a veil.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from agentlens.drawing import caption
from agentlens.drawing.colour import ramp, subdued
from agentlens.drawing.context import FrameContext
from agentlens.drawing.files import refuse_existing
from agentlens.drawing.film import Film
from agentlens.drawing.panel import Panel
from agentlens.drawing.panels import actions, colour_bar, game, heat
from agentlens.drawing.pixels import canvas, fill, paste, paste_fitted
from agentlens.drawing.text import SMALL, TITLE, draw_text
from agentlens.drawing.theme import Colour, Theme
from agentlens.drawing.video import VideoWriter
from agentlens.errors import InvalidArgument
from agentlens.progress import Progress, silent

MOST = 4
COLOURS: tuple[Colour, ...] = ((72, 198, 112), (240, 128, 196), (150, 150, 150), (191, 217, 90))
"""Of the agents, by place: none of them a colour of heat."""
_MOST_BESIDE = 2
_OVER: Colour = (236, 236, 236)
_MARGIN, _GAP, _HEADER, _NAME, _MULTIPLE = 16, 16, 58, 30, 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One agent of the picture: ``place`` in the comparison chooses its colour."""

    label: str
    place: int
    film: Film
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SideBySidePage:
    """Where everything stands; ``size`` is (width, height), multiples of 16.

    ``title``, ``facts``: the header's lines. ``difference``: a middle column shows the first
    agent's heat minus the second's. ``games``: by column the game in colour, left of the heat where
    there is room and above it where there is not (``stacked``); empty for none.
    """

    columns: tuple[Column, ...]
    title: str
    facts: str
    scale: int
    difference: bool
    size: tuple[int, int]
    lower: tuple[tuple[Panel, ...], ...]
    upper: tuple[Panel, ...]
    games: tuple[Panel, ...] = ()
    stacked: bool = False

    @property
    def column_width(self) -> int:
        """Of everything that belongs to one agent, in pixels."""
        width = self.upper[0].size[0]
        return 2 * width + _GAP // 2 if self.games and not self.stacked else width

    @property
    def theme(self) -> Theme:
        """The first column's."""
        return self.columns[0].film.scene.theme

    def draw(self, contexts: Sequence[FrameContext], ended: Sequence[bool]) -> np.ndarray:
        """One picture: uint8 [height, width, 3].

        Args:
            contexts: one a column.
            ended: whether that column's film is over.
        """
        page = canvas(self.size, self.theme.background)
        self._draw_header(page, contexts)
        pitch = self.column_width + _GAP
        places = [_MARGIN + i * pitch for i in range(len(self.columns))]
        if self.difference:
            places = [_MARGIN, _MARGIN + 2 * pitch]
            self._draw_difference(page, contexts, _MARGIN + pitch)
        for i, left in enumerate(places):
            self._draw_column(page, i, left, contexts[i], over=ended[i])
        return page

    def _draw_header(self, page: np.ndarray, contexts: Sequence[FrameContext]) -> None:
        write, width = partial(draw_text, page, colour=self.theme.text), self.size[0] - 2 * _MARGIN
        latest = max(c.seconds for c in contexts)
        standing = f"step {contexts[0].step}    {caption.clock(latest)}"
        used = write(standing, _MARGIN + width, _MARGIN + 5, align="right")
        write(self.title, _MARGIN, _MARGIN, size=TITLE, width=width - used - 24)
        self._write_small(page, self.facts, _MARGIN, _MARGIN + 28, width)
        fill(page, _MARGIN, _MARGIN + _HEADER - 10, width, 1, self.theme.line)

    def _draw_column(
        self, page: np.ndarray, i: int, left: int, context: FrameContext, *, over: bool
    ) -> None:
        column, width, top = self.columns[i], self.column_width, _MARGIN + _HEADER
        write = partial(draw_text, page)
        fill(page, left, top + 3, 6, 16, COLOURS[column.place % MOST])
        note, muted = column.note or f"score {context.total_reward:+g}", self.theme.muted
        used = write(note, left + width, top + 3, size=SMALL, colour=muted, align="right")
        room = width - used - 24
        write(column.label, left + 14, top, size=16, colour=self.theme.text, width=room)
        top += _NAME
        if self.games:
            paste(page, _veiled(self.games[i].draw(context), over), left, top)
            if self.stacked:
                top += self.games[i].size[1] + _GAP // 2
        heat_left = left + width - self.upper[i].size[0]
        paste(page, _veiled(self.upper[i].draw(context), over), heat_left, top)
        top += self.upper[i].size[1] + _GAP // 2
        for panel, x, y in self.below(i, left, heat_left):
            paste(page, panel.draw(context), x, top + y)

    def below(self, i: int, left: int, heat_left: int) -> Iterator[tuple[Panel, int, int]]:
        """What stands under a column's pictures, and where: the scale under the heat, bars under
        the game where that stands beside it."""
        tops = {left: 0, heat_left: 0}
        for panel in self.lower[i]:
            x = heat_left if isinstance(panel, colour_bar.ColourBar) else left
            yield panel, x, tops[x]
            tops[x] += panel.size[1] + _GAP // 2

    def _draw_difference(
        self, page: np.ndarray, contexts: Sequence[FrameContext], left: int
    ) -> None:
        width, top, theme = self.upper[0].size[0], _MARGIN + _HEADER, self.theme
        write = partial(draw_text, page, colour=theme.text)
        names = [c.label for c in self.columns]
        write("difference of the heats", left, top, size=16, width=width)
        top += _NAME
        fill(page, left, top + 4, 4, 12, theme.accents["control"])
        write("first minus second", left + 12, top)
        picture = difference_on_screen(contexts[0], contexts[1])
        height = self.upper[0].size[1] - game.TITLE_HEIGHT
        box = page[:, left : left + width]
        paste_fitted(box, picture, top=top + game.TITLE_HEIGHT, width=width, height=height)
        top += self.upper[0].size[1] + _GAP // 2
        span = np.tile(np.linspace(-1, 1, width, dtype=np.float32), (10, 1))
        under = np.full((10, width, 3), (2 * theme.darkest + theme.lightest) // 3, np.uint8)
        paste(page, ramp("actor", True, theme).blend(under, span), left, top + 1)
        half, right = width // 2 - 8, left + width
        write(f"{names[1]} more", left, top + 13, size=SMALL, width=half)
        write(f"{names[0]} more", right, top + 13, size=SMALL, align="right", width=half)
        note = "heat of both on the scale of the bars beside"
        self._write_small(page, note, left, top + 28, width)

    def _write_small(self, page: np.ndarray, text: str, left: int, top: int, width: int) -> None:
        draw_text(page, text, left, top, size=SMALL, colour=self.theme.muted, width=width)


def _veiled(picture: np.ndarray, over: bool) -> np.ndarray:
    """A picture as it is, or darkened once its film is over."""
    if not over:
        return picture
    dark: np.ndarray = picture // 3
    middle = dark.shape[1] // 2, dark.shape[0] // 2
    draw_text(dark, "game over", *middle, colour=_OVER, align="centre")
    return dark


def side_by_side_page(
    columns: Sequence[Column],
    *,
    title: str,
    facts: str = "",
    scale: int = 2,
    difference: bool = False,
    games: bool = False,
) -> SideBySidePage:
    """Place the columns: heat of the actor (or the plain game), colour bar, action bars.

    Args:
        columns: one to four.
        title, facts: the header's two lines.
        scale: pixels of a native pixel, 1 to 8.
        difference: put the difference of two columns' heats between them.
        games: show the game in colour with every column of heat: beside it for two agents, above
            it for more.

    Raises:
        InvalidArgument: too many columns, a scale out of range, or a difference of anything but
            two columns with maps.
    """
    if not 1 <= len(columns) <= MOST:
        raise InvalidArgument(f"{len(columns)} columns: expected 1 to {MOST}.")
    if not 1 <= scale <= 8:
        raise InvalidArgument(f"scale {scale}: expected 1 to 8.")
    scenes = [c.film.scene for c in columns]
    if difference and (len(columns) != 2 or not all(s.layers for s in scenes)):
        raise InvalidArgument("a difference map needs two columns, both with saliency maps.")
    shape = scenes[0].screen_shape
    width, height = shape[1] * scale, shape[0] * scale + game.TITLE_HEIGHT
    upper: list[Panel] = []
    lower: list[tuple[Panel, ...]] = []
    for scene in scenes:
        bars = actions.Actions.for_scene(scene, width)
        if scene.layers:
            name = scene.layers[0].target.name
            upper.append(heat.Heat(size=(width, height), target=name))
            bar = colour_bar.ColourBar(size=(width, colour_bar.HEIGHT), target=name)
            lower.append((bar, *bars))
        else:
            upper.append(game.Game(size=(width, height)))
            lower.append(bars)
    shown = tuple(game.Game(size=(width, height)) for _ in columns)
    page = SideBySidePage(
        columns=tuple(columns),
        title=title,
        facts=facts,
        scale=scale,
        difference=difference,
        size=(0, 0),
        upper=tuple(upper),
        lower=tuple(lower),
        games=shown if games and all(s.layers for s in scenes) else (),
        stacked=len(columns) > _MOST_BESIDE,
    )
    return replace(page, size=_page_size(page))


def _page_size(page: SideBySidePage) -> tuple[int, int]:
    """(width, height) that holds all columns, in multiples of 16."""
    count = len(page.columns) + page.difference
    heights = [p.size[1] + _GAP // 2 for p in (*page.upper[:1], *page.games[: page.stacked])]
    shift = page.column_width - page.upper[0].size[0]
    below = max(
        y + panel.size[1] + _GAP // 2
        for i in range(len(page.columns))
        for panel, _, y in page.below(i, 0, shift)
    )
    right = 2 * _MARGIN + count * page.column_width + (count - 1) * _GAP
    bottom = _MARGIN + _HEADER + _NAME + sum(heights) + below + _MARGIN // 2
    return right + -right % _MULTIPLE, bottom + -bottom % _MULTIPLE


def side_by_side(
    page: SideBySidePage, output: Path | str, *, force: bool = False, progress: Progress = silent
) -> Path:
    """Draw a page as a video in game time; the suffix chooses mp4, webm, gif or webp.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError, RenderError: as ``render``.

    Notes:
        Memory does not depend on the number of steps.
    """
    output = Path(output)
    refuse_existing(output, force)
    films = [c.film for c in page.columns]
    total = len(_changes(films))
    with VideoWriter(output, force=force) as video:
        for number, (frames, ended, ticks) in enumerate(together(films), start=1):
            contexts = [film.context(frame) for film, frame in zip(films, frames, strict=True)]
            video.write(page.draw(contexts, ended), ticks)
            progress(number, total)
    return output


def together(
    films: Sequence[Film],
) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...], int]]:
    """Run films in game time.

    Yields:
        The picture of each film, whether that film is over, and how many ticks this lasts.
    """
    starts = [_starts(film) for film in films]
    changes = _changes(films)
    ends = [
        *changes[1:],
        max(s[-1] + f.ticks(len(f) - 1) for s, f in zip(starts, films, strict=True)),
    ]
    for now, end in zip(changes, ends, strict=True):
        frames = tuple(int(np.searchsorted(s, now, side="right")) - 1 for s in starts)
        over = tuple(
            now >= s[-1] + film.ticks(len(film) - 1) for s, film in zip(starts, films, strict=True)
        )
        yield frames, over, end - now


def difference_on_screen(first: FrameContext, second: FrameContext) -> np.ndarray:
    """The first context's heat minus the second's on a grey screen: uint8 [Y, X, 3].

    Signed targets count by magnitude. Where a step has no map its heat is 0.
    """
    difference = _spread(first) - _spread(second)
    theme = first.scene.theme
    return ramp("actor", True, theme).blend(subdued(first.screen, theme), difference)


def _spread(context: FrameContext) -> np.ndarray:
    layer, spread = context.scene.layers[0], context.scene.spread
    values = context.maps.get(layer.target.name)
    if values is None or spread is None:
        return np.zeros(context.scene.screen_shape, np.float32)
    newest = values[len(context.scene.plane_names) - 1]
    heat_shown: np.ndarray = np.abs(spread(layer.scale.heat(newest)))
    return heat_shown


def _starts(film: Film) -> list[int]:
    ticks = [film.ticks(frame) for frame in range(len(film) - 1)]
    return [0, *np.cumsum(ticks, dtype=np.int64).tolist()]


def _changes(films: Sequence[Film]) -> list[int]:
    return sorted({start for film in films for start in _starts(film)})
