"""Where panels stand: the layouts ``full``, ``compact`` and ``stack``, and rows of chosen
panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.draw import Draw
from agentlens.drawing.panel import PANELS, Panel
from agentlens.drawing.panels import (
    actions,
    boxes,
    colour_bar,
    control,
    curves,
    game,
    header,
    heat,
    stack,
)
from agentlens.drawing.pixels import canvas, paste
from agentlens.drawing.theme import Colour
from agentlens.errors import InvalidArgument

MARGIN = 16
_GAP = 16
_UNDER = 8
_LOWER = 184
_SIDE = 184
_SHORTEST = 190
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
    background: Colour
    placements: tuple[Placement, ...]

    def blank(self) -> np.ndarray:
        """The page without its panels: uint8 [height, width, 3]."""
        return canvas(self.size, self.background)

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


TABLE_WRITERS = {"boxes": "objects", "caption": "describe", "numbers": "concepts (or excite)"}
"""The command whose tables a panel draws."""


def arrange(scene: Scene, draw: Draw = Draw()) -> Layout:
    """Place the panels of a scene.

    The layouts: "full" (game, heat of each target, actions, control, curves, frame stack),
    "compact" (game, one heat, actions, curves), "stack" (large planes, each with its own map),
    "slide" (16 to 9). Chosen panels stand in rows of three, with the header on top.

    Raises:
        UnknownName: an unknown panel.
        InvalidArgument: a chosen panel has nothing to show, the layout is "stack" and the
            maps are not of single planes, or boxes are wanted and nobody wrote any.
    """
    column = max(scene.screen_shape[1] * draw.scale, _NARROWEST)
    if draw.layout == "stack" and scene.layers and scene.depth > 1 == len(scene.plane_names):
        raise InvalidArgument(
            "the layout stack shows a map for every plane, but these maps have one for the whole "
            "stack: explain with --planes each, or choose another layout."
        )
    if draw.boxes and not scene.has_boxes:
        raise InvalidArgument(
            "boxes are wanted and there is no table of objects to draw: agentlens objects "
            "RECORDING writes it."
        )
    if draw.panels:
        page = _flow(scene, column, draw.panels)
    else:
        height = scene.screen_shape[0] * draw.scale + game.TITLE_HEIGHT
        page = LAYOUTS[draw.layout](scene, column, height)
    return _boxed(page) if draw.boxes else page


def _boxed(page: Layout) -> Layout:
    """The page with boxes in its picture of the game."""
    placements = [
        replace(place, panel=boxes.BoxedGame(size=place.panel.size))
        if isinstance(place.panel, game.Game)
        else place
        for place in page.placements
    ]
    return replace(page, placements=tuple(placements))


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
        *_actions(scene, lefts[0], below, (column, end - below)),
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
    return _page(scene, placed)


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
        scene,
        [
            _at(header.Header(size=(width, header.HEIGHT)), MARGIN, MARGIN),
            _at(game.Game(size=(column, height)), MARGIN, top),
            *_actions(scene, MARGIN, below, (column, end - below)),
            *_heats(scene, [right], top, (column, height)),
            _at(curves.Curves(size=(column, end - lower)), right, lower),
        ],
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
        scene,
        [
            _at(header.Header(size=(width, header.HEIGHT)), MARGIN, MARGIN),
            *first,
            _at(stack.Stack(size=(column, height), target=target), right, top),
            _at(actions.Actions(size=(column, end - lower)), MARGIN, lower),
            _at(curves.Curves(size=(column, end - below)), right, below),
        ],
    )


def _slide(scene: Scene, column: int, height: int) -> Layout:
    """16 to 9: game and heats side by side, bars and stack in a column, curves below."""
    shown = min(1 + len(scene.layers), 3)
    pitch = column + _GAP
    top = MARGIN + header.HEIGHT
    below = top + height + _UNDER
    least = (
        2 * MARGIN + shown * pitch + _NARROWEST,
        below + colour_bar.HEIGHT + _UNDER + _SHORTEST + MARGIN,
    )
    unit = max(-(-least[0] // (16 * 16)), -(-least[1] // (9 * 16)))
    right, end = 16 * 16 * unit - MARGIN, 9 * 16 * unit - MARGIN
    aside = MARGIN + shown * pitch
    side = right - aside
    lower = below + colour_bar.HEIGHT + _UNDER
    lefts = [MARGIN + (1 + i) * pitch for i in range(shown - 1)]
    target = scene.layers[0].target.name if scene.layers else ""
    (bars,) = actions.Actions.for_scene(scene, side)
    middle = min(top + bars.size[1] + _UNDER, (top + end) // 2)
    placed = [
        _at(header.Header(size=(right - MARGIN, header.HEIGHT)), MARGIN, MARGIN),
        _at(game.Game(size=(column, height)), MARGIN, top),
        *_heats(scene, lefts, top, (column, height)),
        _at(actions.Actions(size=(side, middle - _UNDER - top)), aside, top),
        _at(curves.Curves(size=(aside - _GAP - MARGIN, end - lower)), MARGIN, lower),
    ]
    if scene.control is not None:
        small = control.Control(size=(side, (end - middle - _UNDER) * 2 // 5))
        placed.append(_at(small, aside, end - small.size[1]))
        end -= small.size[1] + _UNDER
    stacked = stack.Stack(size=(side, end - middle), target=target)
    return _page(scene, [*placed, _at(stacked, aside, middle)])


LAYOUTS = {"full": _full, "compact": _compact, "stack": _stack, "slide": _slide}


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
    return _page(scene, placed)


def _flow(scene: Scene, column: int, names: Sequence[str]) -> Layout:
    shown = {n: PANELS.load(n).for_scene(scene, column) for n in names if n != "header"}
    empty = [name for name, panels in shown.items() if not panels]
    if empty or not shown:
        written = [
            f"agentlens {TABLE_WRITERS[name]} writes {name}"
            for name in empty
            if name in TABLE_WRITERS
        ]
        raise InvalidArgument(
            f"panels {', '.join(empty or names)}: nothing to show here; "
            f"{'; '.join([*written, 'there are ' + ', '.join(PANELS.names())])}."
        )
    panels = [panel for each in shown.values() for panel in each]
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
    return _page(scene, placed)


def _actions(scene: Scene, left: int, top: int, size: tuple[int, int]) -> list[Placement]:
    """The action bars, and below or beside them, where there is room, the control."""
    (bars,) = actions.Actions.for_scene(scene, size[0])
    rest = size[1] - bars.size[1] - _UNDER
    if scene.control is None:
        return [_at(actions.Actions(size=size), left, top)]
    if rest >= control.SMALLEST:
        below = control.Control(size=(size[0], rest))
        return [_at(bars, left, top), _at(below, left, top + bars.size[1] + _UNDER)]
    aside = min(size[1] * 3 // 4, size[0] // 2 - _UNDER)
    narrow = actions.Actions(size=(size[0] - aside - _UNDER, size[1]))
    beside = control.Control(size=(aside, size[1]))
    return [_at(narrow, left, top), _at(beside, left + size[0] - aside, top)]


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


def _page(scene: Scene, placed: Sequence[Placement]) -> Layout:
    right = max(p.left + p.panel.size[0] for p in placed) + MARGIN
    bottom = max(p.top + p.panel.size[1] for p in placed) + MARGIN
    size = (right + _rest(right), bottom + _rest(bottom))
    return Layout(size=size, background=scene.theme.background, placements=tuple(placed))
