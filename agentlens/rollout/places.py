"""Which pixels of an observation, and which bytes of RAM, an intervention names.

Shape letters: H W observation rows and columns, Y X screen rows and columns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from agentlens.envs.atari.regions import named_places
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import SCREEN_SHAPE, AgentSpec, ObservationSpec

FREEZE = "freeze"
_SPAN = re.compile(r"\s*(\d*)\s*:\s*(\d*)\s*")


def region_mask(
    text: str, agent: AgentSpec, screen_shape: tuple[int, int] = SCREEN_SHAPE
) -> np.ndarray:
    """The observation pixels that see any part of a region of the screen.

    Args:
        text: "34:194,16:144" (rows, columns of the native screen, ends excluded; either may be
            left out), a name from the game's table, or several of them joined by "+".
        agent: whose game and geometry count.
        screen_shape: (Y, X).

    Returns:
        float32 [H, W], 1 = hidden.

    Raises:
        UnknownName: neither rectangle nor a name of this game.
        InvalidArgument: an empty region, or one that the observation does not show.
    """
    names = named_places(agent.environment.game).regions
    mask = np.zeros(agent.observation.resize, np.float32)
    for part in (part.strip() for part in text.split("+")):
        for rectangle in names[part].split("+") if part in names else [part]:
            rows, columns = _rectangle(rectangle, names, screen_shape)
            np.maximum(mask, _covered(rows, columns, agent.observation, screen_shape), out=mask)
    if not mask.any():
        raise InvalidArgument(
            f"region {text!r}: the agent's observation shows nothing of it; it shows rows and "
            f"columns {agent.observation.screen_rectangle(screen_shape)} of the screen."
        )
    return mask


def ram_edits(texts: Sequence[str], game: str) -> dict[int, int | None]:
    """Bytes of RAM to hold, by address; ``None`` holds a byte at the value it has.

    Args:
        texts: "NAME=freeze", "NAME=VALUE" or "ADDRESS=VALUE", values 0 to 255.
        game: whose names count.

    Raises:
        UnknownName: no such name in the game's table.
        InvalidArgument: not of that form, out of range, or one value for several bytes.
    """
    names = named_places(game).ram
    edits: dict[int, int | None] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not (value == FREEZE or (value.isdigit() and int(value) <= 255)):
            raise InvalidArgument(
                f"RAM edit {text!r}: expected NAME=freeze or NAME=VALUE with a value 0 to 255."
            )
        if name.isdigit() and int(name) < 128:
            addresses: tuple[int, ...] = (int(name),)
        elif name in names:
            addresses = names[name]
        else:
            raise UnknownName("RAM name", name, names, "Or give an address from 0 to 127.")
        if len(addresses) > 1 and value != FREEZE:
            raise InvalidArgument(
                f"RAM edit {text!r}: {name} is {len(addresses)} bytes, which can be frozen; to set "
                f"one, give its address: {', '.join(map(str, addresses))}."
            )
        for address in addresses:
            edits[address] = None if value == FREEZE else int(value)
    return edits


def rolled(mask: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The mask moved to a random place, round the edges: of the same shape and size."""
    rows, columns = mask.shape
    shift = (int(generator.integers(rows)), int(generator.integers(columns)))
    moved: np.ndarray = np.roll(mask, shift, axis=(0, 1))
    return moved


def _rectangle(
    text: str, names: object, screen_shape: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    parts = text.split(",")
    matches = [_SPAN.fullmatch(part) for part in parts]
    if len(parts) != 2 or not all(matches):
        known = names if isinstance(names, dict) else {}
        raise UnknownName(
            "region", text.strip(), known, "Or give 'rows,columns' such as 34:194,16:144."
        )
    spans = []
    for match, size in zip(matches, screen_shape, strict=True):
        assert match is not None  # checked above
        start, stop = int(match[1] or 0), int(match[2] or size)
        if not 0 <= start < stop <= size:
            raise InvalidArgument(
                f"region {text.strip()!r}: {start}:{stop} is not a span within 0 to {size}."
            )
        spans.append((start, stop))
    return spans[0], spans[1]


def _covered(
    rows: tuple[int, int],
    columns: tuple[int, int],
    spec: ObservationSpec,
    screen_shape: tuple[int, int],
) -> np.ndarray:
    """Observation pixels whose footprint on the screen overlaps a rectangle: float32 [H, W]."""
    top, bottom, left, right = spec.screen_rectangle(screen_shape)
    lines = []
    for (start, stop), first, last, size in (
        (rows, top, bottom, spec.resize[0]),
        (columns, left, right, spec.resize[1]),
    ):
        edges = first + np.arange(size + 1) * (last - first) / size
        lines.append((edges[:-1] < stop) & (edges[1:] > start))
    covered: np.ndarray = np.outer(*lines).astype(np.float32)
    return covered
