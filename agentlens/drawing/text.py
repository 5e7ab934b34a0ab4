"""Text at its final resolution, in the font that Pillow carries."""

from __future__ import annotations

import functools
import math
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from agentlens.drawing.theme import Colour

SMALL = 12
NORMAL = 14
TITLE = 20
DOT = " · "
"""Between facts on one line."""

_SPELLED = {"²": "^2", "³": "^3", "−": "-"}
"""Characters that the font lacks, spelled out."""

Align = Literal["left", "centre", "right"]


def draw_text(
    picture: np.ndarray,
    text: str,
    x: int,
    y: int,
    *,
    colour: Colour,
    size: int = NORMAL,
    align: Align = "left",
    width: int | None = None,
) -> int:
    """Write one line into ``picture`` (uint8 [height, width, 3], changed in place).

    Args:
        x, y: left, centre or right end (by ``align``) and top of the line's box.
        width: shortens the text with an ellipsis where it would be wider.

    Returns:
        The width written, in pixels.
    """
    strip = _strip(shortened(text, size, width) if width is not None else text, size, colour)
    left = x - {"left": 0, "centre": strip.width // 2, "right": strip.width}[align] + strip.left
    top, start = max(y + strip.top, 0), max(left, 0)
    height, length = strip.through.shape[:2]
    end, bottom = (
        min(left + length, picture.shape[1]),
        min(y + strip.top + height, picture.shape[0]),
    )
    if end > start and bottom > top:
        part = np.s_[top - y - strip.top : bottom - y - strip.top, start - left : end - left]
        under = picture[top:bottom, start:end]
        under[:] = (under * strip.through[part] + strip.ink[part]) >> 8
    return strip.width


class _Strip(NamedTuple):
    """A line's ink, ready to be laid over a picture: ``(under * through + ink) >> 8``.

    ``through``: uint16 [height, width, 1], 256 where there is no ink. ``ink``: uint16 [height,
    width, 3]. ``left``, ``top``: of the ink in the line's box, whose whole width is ``width``.
    """

    through: np.ndarray
    ink: np.ndarray
    left: int
    top: int
    width: int


@functools.lru_cache(maxsize=2048)
def text_width(text: str, size: int = NORMAL) -> int:
    """Width of a line, in pixels."""
    return math.ceil(_font(size).getlength(_clean(text)))


def line_height(size: int = NORMAL) -> int:
    """Height of a line's box, in pixels."""
    ascent, descent = _font(size).getmetrics()
    return int(ascent + descent)


@functools.lru_cache(maxsize=1024)
def shortened(text: str, size: int, width: int) -> str:
    """The text, cut at its end and closed with an ellipsis where it is wider than ``width``."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1].rstrip()
    return text + "…" if text else ""


@functools.lru_cache(maxsize=1024)
def shortened_facts(text: str, size: int, width: int) -> str:
    """Facts apart by dots, as many whole ones as fit, then an ellipsis for those that do not."""
    facts = text.split(DOT)
    for kept in range(len(facts), 0, -1):
        line = DOT.join([*facts[:kept], *(["…"] if kept < len(facts) else [])])
        if text_width(line, size) <= width:
            return line
    return shortened(text, size, width)


@functools.lru_cache(maxsize=1024)
def wrapped(text: str, size: int, width: int) -> tuple[str, ...]:
    """The text in lines no wider than ``width``, broken between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def number(value: float) -> str:
    """A number in at most about six characters, with three significant digits."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if 1e-3 <= abs(value) < 1e5:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow is built without FreeType"
    return font


def _clean(text: str) -> str:
    """One line of characters that the font has: names may hold anything."""
    return "".join(_drawable(c) for c in text)


@functools.lru_cache(maxsize=1024)
def _drawable(character: str) -> str:
    if character in _SPELLED:
        return _SPELLED[character]
    if not character.isprintable():
        return " "
    font = _font(NORMAL)
    missing = bytes(font.getmask("\uffff")) == bytes(font.getmask(character))
    return "?" if missing else character


@functools.lru_cache(maxsize=2048)
def _strip(text: str, size: int, colour: Colour) -> _Strip:
    text = _clean(text)
    width = text_width(text, size)
    box = Image.new("L", (max(1, width), line_height(size)), 0)
    ImageDraw.Draw(box).text((0, 0), text, fill=255, font=_font(size))
    left, top, right, bottom = box.getbbox() or (0, 0, 0, 0)
    coverage = np.asarray(box, np.uint16)[top:bottom, left:right, None]
    alpha = (coverage * 256 + 127) // 255
    ink = alpha * np.array(colour, np.uint16) + np.uint16(127) * (alpha > 0)
    return _Strip(256 - alpha, ink.astype(np.uint16), left, top, width)
