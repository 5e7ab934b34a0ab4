"""The three themes: what is drawn on a dark page, on a light one, and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Colour = tuple[int, int, int]
ThemeName = Literal["dark", "light", "print"]
Stops = tuple[tuple[float, float, float], ...]

# lightness, chroma and hue (degrees) of evenly spaced stops
_BRIGHT: dict[str, Stops] = {
    "warm": (
        (0.54, 0.22, 335),
        (0.66, 0.23, 12),
        (0.77, 0.19, 52),
        (0.88, 0.17, 88),
        (0.96, 0.12, 106),
    ),
    "cool": (
        (0.50, 0.19, 272),
        (0.63, 0.18, 255),
        (0.76, 0.14, 222),
        (0.87, 0.14, 178),
        (0.96, 0.10, 150),
    ),
    "lilac": (
        (0.54, 0.15, 300),
        (0.66, 0.16, 303),
        (0.78, 0.13, 307),
        (0.88, 0.08, 310),
        (0.96, 0.04, 315),
    ),
    "positive": ((0.56, 0.18, 35), (0.69, 0.19, 50), (0.84, 0.17, 78), (0.96, 0.12, 102)),
    "negative": ((0.54, 0.19, 272), (0.67, 0.16, 255), (0.83, 0.12, 222), (0.96, 0.06, 200)),
}
_DEEP: dict[str, Stops] = {
    "warm": (
        (0.86, 0.15, 82),
        (0.75, 0.19, 58),
        (0.62, 0.22, 34),
        (0.48, 0.20, 12),
        (0.33, 0.15, 345),
    ),
    "cool": (
        (0.86, 0.10, 200),
        (0.74, 0.13, 220),
        (0.60, 0.16, 245),
        (0.46, 0.18, 262),
        (0.31, 0.16, 274),
    ),
    "lilac": (
        (0.85, 0.09, 308),
        (0.74, 0.13, 305),
        (0.61, 0.16, 302),
        (0.48, 0.16, 300),
        (0.35, 0.13, 297),
    ),
    "positive": ((0.84, 0.15, 75), (0.70, 0.19, 52), (0.53, 0.19, 34), (0.37, 0.13, 26)),
    "negative": ((0.84, 0.10, 220), (0.68, 0.14, 240), (0.50, 0.17, 258), (0.33, 0.15, 272)),
}


@dataclass(frozen=True, kw_only=True)
class Theme:
    """The colours of a page.

    ``surface``: of boxes on the ``background``. ``bar``: of action bars. ``accents``: of a role's
    title and curve, taken from the middle of its ramp. ``lightest``, ``darkest``: grey of a white
    and of a black pixel of a screen under heat. ``edge``: the outline of what moves. ``stops``:
    of the ramps, by family.
    """

    background: Colour
    surface: Colour
    line: Colour
    text: Colour
    muted: Colour
    warning: Colour
    bar: Colour
    accents: Mapping[str, Colour] = field(hash=False)
    lightest: int
    darkest: int
    edge: Colour
    stops: Mapping[str, Stops] = field(hash=False, repr=False)


THEMES: dict[str, Theme] = {
    "dark": Theme(
        background=(13, 16, 21),
        surface=(23, 27, 35),
        line=(52, 59, 72),
        text=(232, 236, 242),
        muted=(150, 159, 173),
        warning=(255, 214, 102),
        bar=(122, 132, 148),
        accents={
            "actor": (255, 168, 76),
            "q": (255, 168, 76),
            "critic": (86, 204, 214),
            "control": (196, 176, 232),
            "score": (214, 220, 228),
        },
        lightest=156,
        darkest=34,
        edge=(6, 8, 11),
        stops=_BRIGHT,
    ),
    "light": Theme(
        background=(244, 245, 247),
        surface=(255, 255, 255),
        line=(206, 211, 219),
        text=(24, 28, 36),
        muted=(92, 101, 115),
        warning=(150, 92, 0),
        bar=(158, 167, 180),
        accents={
            "actor": (196, 74, 12),
            "q": (196, 74, 12),
            "critic": (14, 108, 156),
            "control": (118, 84, 176),
            "score": (64, 72, 86),
        },
        lightest=238,
        darkest=192,
        edge=(20, 22, 28),
        stops=_DEEP,
    ),
    "print": Theme(
        background=(255, 255, 255),
        surface=(255, 255, 255),
        line=(170, 170, 170),
        text=(0, 0, 0),
        muted=(70, 70, 70),
        warning=(140, 70, 0),
        bar=(165, 165, 165),
        accents={
            "actor": (184, 60, 10),
            "q": (184, 60, 10),
            "critic": (10, 92, 140),
            "control": (104, 72, 160),
            "score": (50, 50, 50),
        },
        lightest=244,
        darkest=212,
        edge=(0, 0, 0),
        stops=_DEEP,
    ),
}
DARK = THEMES["dark"]
