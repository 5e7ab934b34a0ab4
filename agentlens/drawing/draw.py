"""How pictures are drawn: one frozen object that travels whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from agentlens.drawing.theme import ThemeName
from agentlens.errors import InvalidArgument, UnknownName

LayoutName = Literal["full", "compact", "stack", "slide"]
MeanBy = Literal["episode", "action", "moment"]
"""What mean maps are taken over."""
LARGEST_SCALE = 8


@dataclass(frozen=True, kw_only=True)
class Draw:
    """How a video, a contact sheet or a still is drawn.

    Raises:
        InvalidArgument: a scale, rate or limit out of range.
        UnknownName: an unknown layout.
    """

    layout: LayoutName = "full"
    """Which panels, and where; slide is 16 to 9, stack wants maps of every plane."""
    panels: Sequence[str] = ()
    """Only these panels, in rows, instead of a layout: game heat colour-bar actions curves stack
    header caption numbers control."""
    heats: Sequence[str] = ()
    """Targets of the maps to draw, such as kl sarfa; one of the actor and one of the critic if not
    given."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Raw value drawn at full heat, by target, such as kl 0.2: for videos to be compared. The
    99th percentile of the drawn steps if not given."""
    boxes: bool = False
    """Draw a box around every object of the game, as `agentlens objects` finds them; thick where a
    sentence of `agentlens describe` cites it."""
    theme: ThemeName = "dark"
    """Colours for a dark page, a light one, or paper."""
    fps: float = 0.0
    """Decisions shown a second; 0 for real time."""
    scale: int = 3
    """Whole-number enlargement of the game's screen, 1 to 8."""
    width_cm: float = 14.0
    """Width of a figure (pdf, svg) in centimetres; 8.5 is a column of most papers."""

    def __post_init__(self) -> None:
        if self.fps != 0 and not 0.1 <= self.fps <= 240:
            raise InvalidArgument(f"fps {self.fps}: expected 0.1 to 240, or 0 for real time.")
        if not 1 <= self.scale <= LARGEST_SCALE:
            raise InvalidArgument(f"scale {self.scale}: expected 1 to {LARGEST_SCALE}.")
        if not 4 <= self.width_cm <= 120:
            raise InvalidArgument(f"width of {self.width_cm} cm: expected 4 to 120.")
        if self.layout not in get_args(LayoutName):
            raise UnknownName("layout", self.layout, get_args(LayoutName))
        if self.theme not in get_args(ThemeName):
            raise UnknownName("theme", self.theme, get_args(ThemeName))
        for what, names in (("panels", self.panels), ("heats", self.heats)):
            if isinstance(names, str):
                raise InvalidArgument(
                    f"{what} {names!r}: expected a list of names, such as [{names!r}]."
                )
            if len(set(names)) < len(names):
                raise InvalidArgument(f"{what} {', '.join(names)}: expected each name once.")
        for name, limit in self.limits.items():
            if not 0 < limit < float("inf"):
                raise InvalidArgument(f"limit {limit} of {name}: expected a number above 0.")
