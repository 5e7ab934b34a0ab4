"""Where panels stand: the layouts ``full``, ``compact`` and ``stack``, and rows of chosen
panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agentlens.drawing.colour import BACKGROUND
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.draw import Draw
from agentlens.drawing.panel import PANELS, Panel
from agentlens.drawing.panels import actions, colour_bar, curves, game, header, heat, stack
from agentlens.drawing.pixels import canvas, paste
from agentlens.errors import InvalidArgument

MARGIN = 16
_GAP = 16
_UNDER = 8
_LOWER = 160
_SIDE = 160
_NARROWEST = 240
_MULTIPLE = 16
_FLOW_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A panel and the place of its upper left corner."""

    panel: Panel
    left: int
    top: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Panels on a page; ``size`` is (width, height), both multiples of 16."""

    size: tuple[int, int]
    placements: tuple[Placement, ...]

    def blank(self) -> np.ndarray:
        """The page without its panels: uint8 [height, width, 3]."""
        return canvas(self.size, BACKGROUND)

    def draw(self, context: FrameContext, page: np.ndarray | None = None) -> np.ndarray:
        """The picture of one step: uint8 [height, width, 3].

        Args:
            page: a page of this layout to paint over and return (a new one costs more than the
                drawing of most panels: its memory has to be found each time).
        """
        page = self.blank() if page is None else page
        for place in self.placements:
            paste(page, place.panel.draw(context), place.left, place.top)
        return page


def arrange(scene: Scene, draw: Draw = Draw()) -> Layout:  # noqa: B008 (frozen)
    """Place the panels of a scene.

    The layouts: "full" (game, heat of each target, actions, curves, frame stack), "compact"
    (game, one heat, actions, curves), "stack" (large planes, each with its own map). Chosen
    panels stand in rows of three, with the header on top.

    Raises:
        UnknownName: an unknown panel.
        InvalidArgument: no chosen panel has something to show.
    """
    column = max(scene.screen_shape[1] * draw.scale, _NARROWEST)
    if draw.panels:
        return _flow(scene, column, draw.panels)
    height = scene.screen_shape[0] * draw.scale + game.TITLE_HEIGHT
    return LAYOUTS[draw.layout](scene, column, height)


def _full(scene: Scene, column: int, height: int) -> Layout:
    if not scene.layers:
        return _beside(scene, column, height, with_stack=scene.depth > 1)
    count = 1 + len(scene.layers)
    lefts = [MARGIN + i * (column + _GAP) for i in range(count)]
    stacked = scene.depth > 1
    below_heat = stacked and count == 3
    right = lefts[-1] + column
    across = right - MARGIN + (_GAP + _SIDE if stacked and not below_heat else 0)
    top = MARGIN + header.HEIGHT
    below = top + height + _UNDER
    lower = below + colour_bar.HEIGHT + _UNDER
    end = lower + _LOWER
    end += _rest(end + MARGIN)
    curves_right = lefts[1] + column if below_heat else right
    placed = [
        _at(header.Header(size=(across, header.HEIGHT)), MARGIN, MARGIN),
        _at(game.Game(size=(column, height)), lefts[0], top),
        _at(actions.Actions(size=(column, end - below)), lefts[0], below),
        *_heats(scene, lefts[1:], top, (column, height)),
        _at(curves.Curves(size=(curves_right - lefts[1], end - lower)), lefts[1], lower),
    ]
    target = scene.layers[0].target.name
    if below_heat:
        small = stack.Stack(size=(column, end - lower), target=target)
        placed.append(_at(small, lefts[2], lower))
    elif stacked:
        tall = stack.Stack(size=(_SIDE, end - top), target=target)
        placed.append(_at(tall, right + _GAP, top))
    return _page(placed)


def _compact(scene: Scene, column: int, height: int) -> Layout:
    if not scene.layers:
        return _beside(scene, column, height, with_stack=False)
    width, right = 2 * column + _GAP, MARGIN + column + _GAP
    top = MARGIN + header.HEIGHT
    below = top + height + _UNDER
    lower = below + colour_bar.HEIGHT + _UNDER
    end = lower + _LOWER
    end += _rest(end + MARGIN)
    return _page(
        [
            _at(header.Header(size=(width, header.HEIGHT)), MARGIN, MARGIN),
            _at(game.Game(size=(column, height)), MARGIN, top),
            _at(actions.Actions(size=(column, end - below)), MARGIN, below),
            *_heats(scene, [right], top, (column, height)),
            _at(curves.Curves(size=(column, end - lower)), right, lower),
        ]
    )


def _stack(scene: Scene, column: int, height: int) -> Layout:
    width, right = 2 * column + _GAP, MARGIN + column + _GAP
    top = MARGIN + header.HEIGHT
    below = top + height + _UNDER
    target = scene.layers[0].target.name if scene.layers else ""
    lower = below + (colour_bar.HEIGHT + _UNDER if scene.layers else 0)
    end = lower + _LOWER
    end += _rest(end + MARGIN)
    first: list[Placement] = (
        _heats(scene, [MARGIN], top, (column, height))
        if scene.layers
        else [_at(game.Game(size=(column, height)), MARGIN, top)]
    )
    return _page(
        [
            _at(header.Header(size=(width, header.HEIGHT)), MARGIN, MARGIN),
            *first,
            _at(stack.Stack(size=(column, height), target=target), right, top),
            _at(actions.Actions(size=(column, end - lower)), MARGIN, lower),
            _at(curves.Curves(size=(column, end - below)), right, below),
        ]
    )


LAYOUTS = {"full": _full, "compact": _compact, "stack": _stack}


def _beside(scene: Scene, column: int, height: int, *, with_stack: bool) -> Layout:
    """Without maps: the game on the left, everything else beside it."""
    width, right = 2 * column + _GAP, MARGIN + column + _GAP
    top = MARGIN + header.HEIGHT
    height = max(height, 360)
    height += _rest(top + height + MARGIN)
    parts = 3 if with_stack else 2
    part = (height - (parts - 1) * _GAP) // parts
    tops = [top + i * (part + _GAP) for i in range(parts)]
    last = top + height - tops[-1]
    placed = [
        _at(header.Header(size=(width, header.HEIGHT)), MARGIN, MARGIN),
        _at(game.Game(size=(column, height)), MARGIN, top),
        _at(actions.Actions(size=(column, part)), right, tops[0]),
        _at(curves.Curves(size=(column, part if with_stack else last)), right, tops[1]),
    ]
    if with_stack:
        placed.append(_at(stack.Stack(size=(column, last)), right, tops[2]))
    return _page(placed)


def _flow(scene: Scene, column: int, names: Sequence[str]) -> Layout:
    panels = [p for n in names if n != "header" for p in PANELS.load(n).for_scene(scene, column)]
    if not panels:
        raise InvalidArgument(
            f"panels {', '.join(names)}: none of them has anything to show here; "
            f"there are {', '.join(PANELS.names())}."
        )
    top = MARGIN
    width = min(len(panels), _FLOW_COLUMNS) * (column + _GAP) - _GAP
    placed = []
    if "header" in names:
        placed.append(_at(header.Header(size=(width, header.HEIGHT)), MARGIN, top))
        top += header.HEIGHT
    for start in range(0, len(panels), _FLOW_COLUMNS):
        row = panels[start : start + _FLOW_COLUMNS]
        placed += [_at(p, MARGIN + i * (column + _GAP), top) for i, p in enumerate(row)]
        top += max(p.size[1] for p in row) + _GAP
    return _page(placed)


def _heats(scene: Scene, lefts: Sequence[int], top: int, size: tuple[int, int]) -> list[Placement]:
    """A heat panel with its colour bar below it, for as many targets as there are places."""
    placed = []
    for left, layer in zip(lefts, scene.layers, strict=False):
        name = layer.target.name
        bar = colour_bar.ColourBar(size=(size[0], colour_bar.HEIGHT), target=name)
        placed.append(_at(heat.Heat(size=size, target=name), left, top))
        placed.append(_at(bar, left, top + size[1] + _UNDER))
    return placed


def _at(panel: Panel, left: int, top: int) -> Placement:
    return Placement(panel=panel, left=left, top=top)


def _rest(length: int) -> int:
    return -length % _MULTIPLE


def _page(placed: Sequence[Placement]) -> Layout:
    right = max(p.left + p.panel.size[0] for p in placed) + MARGIN
    bottom = max(p.top + p.panel.size[1] for p in placed) + MARGIN
    size = (right + _rest(right), bottom + _rest(bottom))
    return Layout(size=size, placements=tuple(placed))
