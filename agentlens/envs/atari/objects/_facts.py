"""What is known of a game's objects, as data: numbers in RAM, sizes and colours on the screen.

Shape letters: T steps, Y X screen. Boxes are (top, bottom, left, right), ends excluded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentlens.errors import InvalidArgument

Box = tuple[int, int, int, int]
"""(top, bottom, left, right) in screen pixels, ends excluded."""

RAM_BYTES = 128
_SCREEN: Box = (0, 210, 0, 160)


@dataclass(frozen=True, kw_only=True)
class Byte:
    """A screen coordinate that a byte of RAM holds: ``scale`` x (byte modulo ``modulo``) +
    ``offset``."""

    address: int
    offset: int = 0
    scale: int = 1
    modulo: int = 256

    def __post_init__(self) -> None:
        if not 0 <= self.address < RAM_BYTES:
            raise InvalidArgument(f"RAM address {self.address}: expected 0 to {RAM_BYTES - 1}.")

    def read(self, ram: np.ndarray) -> np.ndarray:
        """The coordinate of each step: int64 [T], from RAM uint8 [T, 128]."""
        return ram[:, self.address].astype(np.int64) % self.modulo * self.scale + self.offset

    def at(self, ram: np.ndarray) -> int:
        """The coordinate of one step, from RAM uint8 [128]."""
        return int(ram[self.address]) % self.modulo * self.scale + self.offset


@dataclass(frozen=True, kw_only=True)
class When:
    """A condition on a byte of RAM: ``least`` <= byte & ``mask`` <= ``most``."""

    address: int
    least: int = 0
    most: int = 255
    mask: int = 255

    def holds(self, ram: np.ndarray) -> np.ndarray:
        """bool [T], from RAM uint8 [T, 128]."""
        values = ram[:, self.address] & self.mask
        holds: np.ndarray = (values >= self.least) & (values <= self.most)
        return holds


@dataclass(frozen=True, kw_only=True)
class ObjectFact:
    """One object of a game.

    ``name``: as sentences say it ("ball"). ``x``, ``y``: left and top, of RAM or fixed.
    ``width``, ``height``: screen pixels. ``colours``: palette indices of its pixels; ``other_than``
    instead names those that are not its own. ``area``: where it can be seen. ``present``: all
    must hold for it to be in the game. ``rigid``: its shape always fills the box; otherwise poses
    change within it. ``group``: what sentences and shares speak of, its own name if empty.
    ``reach``: pixels around the box that are searched too, for what moved since or before the
    RAM was read. ``alone``: nothing else in the area has its colours, so all of them there are its
    pixels wherever RAM has it.
    """

    name: str
    x: Byte | int
    y: Byte | int
    width: int
    height: int
    colours: tuple[int, ...] = ()
    other_than: tuple[int, ...] = ()
    area: Box = _SCREEN
    present: tuple[When, ...] = ()
    rigid: bool = True
    group: str = ""
    reach: int = 8
    alone: bool = False

    def __post_init__(self) -> None:
        if bool(self.colours) == bool(self.other_than):
            raise InvalidArgument(f"object {self.name}: give colours or other_than, one of them.")

    def nominal(self, ram: np.ndarray) -> np.ndarray:
        """Boxes as RAM has them, cut to the area: int64 [T, 4]; empty ones have no height or
        width."""
        steps = len(ram)
        left = self.x.read(ram) if isinstance(self.x, Byte) else np.full(steps, self.x)
        top = self.y.read(ram) if isinstance(self.y, Byte) else np.full(steps, self.y)
        low_y, high_y, low_x, high_x = self.area
        rows = np.stack([top, top + self.height], 1).clip(low_y, high_y)
        columns = np.stack([left, left + self.width], 1).clip(low_x, high_x)
        return np.concatenate([rows, columns], 1)

    def box_at(self, ram: np.ndarray) -> Box | None:
        """The nominal box of one step, from RAM uint8 [128]; None where it is not present."""
        for when in self.present:
            if not when.least <= int(ram[when.address]) & when.mask <= when.most:
                return None
        left = self.x.at(ram) if isinstance(self.x, Byte) else self.x
        top = self.y.at(ram) if isinstance(self.y, Byte) else self.y
        low_y, high_y, low_x, high_x = self.area
        box = (
            min(max(top, low_y), high_y),
            min(max(top + self.height, low_y), high_y),
            min(max(left, low_x), high_x),
            min(max(left + self.width, low_x), high_x),
        )
        return box if box[1] > box[0] and box[3] > box[2] else None

    def is_present(self, ram: np.ndarray) -> np.ndarray:
        """Whether it is in the game, with some of its box inside the area: bool [T]."""
        boxes = self.nominal(ram)
        inside: np.ndarray = (boxes[:, 1] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 2])
        for condition in self.present:
            inside = inside & condition.holds(ram)
        return inside

    @property
    def own_colours(self) -> np.ndarray:
        """bool [256]: palette indices that can be its pixels."""
        table = np.zeros(256, np.bool_)
        table[list(self.colours)] = True
        if self.other_than:
            table[:] = True
            table[list(self.other_than)] = False
        return table


@dataclass(frozen=True, kw_only=True)
class GameObjects:
    """The objects of one game, and where the facts come from.

    ``objects`` in the order in which they claim pixels. ``own``: the group that the agent moves, ""
    for none.
    ``threats``: groups that come at it, of which sentences say whether they approach.
    ``backdrop``: palette index behind objects that are never seen elsewhere, such as bricks.
    ``sources``: where addresses, offsets and sizes come from. ``notes``: what is not covered.
    """

    game: str
    objects: tuple[ObjectFact, ...]
    own: str
    threats: tuple[str, ...]
    backdrop: int
    sources: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [fact.name for fact in self.objects]
        if len(set(names)) != len(names) or len(names) > 254:
            raise InvalidArgument(f"objects of {self.game}: expected 1 to 254 different names.")
        for group in (self.own, *self.threats):
            if group and group not in self.groups:
                raise InvalidArgument(
                    f"objects of {self.game}: {group!r} is none of its groups "
                    f"({', '.join(self.groups)})."
                )

    @property
    def axis(self) -> Literal["vertical", "horizontal", ""]:
        """The one direction in which the own objects move; "" where they move in both."""
        own = [fact for fact in self.objects if self.own in (fact.group, fact.name)]
        vertical = any(isinstance(fact.y, Byte) for fact in own)
        horizontal = any(isinstance(fact.x, Byte) for fact in own)
        if vertical == horizontal:
            return ""
        return "vertical" if vertical else "horizontal"

    @property
    def groups(self) -> tuple[str, ...]:
        """What sentences and shares speak of, in order."""
        return tuple(dict.fromkeys(fact.group or fact.name for fact in self.objects))
