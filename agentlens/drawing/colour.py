"""Colours of heat, and of the screen under it.

The ramps run through OKLab (Ottosson 2020) with lightness going one way only, up in the dark theme
and down in the others, so that more heat is always lighter (or darker), in grey print and for
colour-blind readers too. Heat lies on a screen with most of its colour and contrast taken out; the
colour bars are blended the same way and match it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from agentlens.drawing.theme import DARK, Stops, Theme

_FAMILIES = {"critic": "cool", "control": "lilac"}


@dataclass(frozen=True, eq=False)
class Ramp:
    """Colours of heat: ``rgb`` float32 [n, 3] in 0-255 and ``alpha`` float32 [n] in 0-1.

    Unsigned ramps have 256 entries from 0 to 1; signed ones 511 from -1 to 1. ``ink`` uint16
    [n, 3] and ``through`` uint16 [n] are the same, ready to be laid over a picture:
    ``(ink + through * under) >> 8``.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    ink: np.ndarray
    through: np.ndarray
    signed: bool

    def entries(self, heat: np.ndarray) -> np.ndarray:
        """The entry of each heat: intp, same shape; beyond [0, 1] or [-1, 1] is clipped."""
        low, centre = (-1.0, 255) if self.signed else (0.0, 0)
        entries: np.ndarray = np.rint(np.clip(heat, low, 1.0) * 255).astype(np.intp) + centre
        return entries

    def blend(self, under: np.ndarray, heat: np.ndarray) -> np.ndarray:
        """Lay heat over a picture.

        Args:
            under: uint8 [Y, X, 3].
            heat: float32 [Y, X] in [0, 1], or [-1, 1] for a signed ramp; beyond is clipped.

        Returns:
            uint8 [Y, X, 3]; exactly the picture where the heat is 0.
        """
        entries = self.entries(heat)
        mixed = self.through[entries][..., None] * under
        mixed += self.ink[entries]
        mixed >>= 8
        result: np.ndarray = mixed.astype(np.uint8)
        return result


@functools.cache
def ramp(role: str, signed: bool, theme: Theme = DARK) -> Ramp:
    """The ramp of a target's role: warm for actors and Q, cool for critics, lilac for controls,
    two-sided if signed."""
    alpha = 0.92 * np.minimum(np.linspace(0, 1, 256, dtype=np.float32) / 0.4, 1.0) ** 0.75
    if signed:
        negative, positive = (_table(theme.stops[name]) for name in ("negative", "positive"))
        rgb = np.concatenate([negative[::-1], positive[1:]])
        alpha = np.concatenate([alpha[::-1], alpha[1:]])
    else:
        rgb = _table(theme.stops[_FAMILIES.get(role, "warm")])
    through = np.rint((1.0 - alpha) * 256).astype(np.uint16)
    ink = np.rint(rgb * (256 - through[:, None])).astype(np.uint16)
    return Ramp(rgb, alpha, ink, through, signed)


def subdued(screen: np.ndarray, theme: Theme = DARK) -> np.ndarray:
    """A screen that heat can be laid on: readable, with most colour and contrast taken out.

    Args:
        screen: uint8 [..., Y, X, 3].

    Returns:
        uint8 [..., Y, X, 3].
    """
    red, green, blue = (screen[..., i].astype(np.uint16) for i in range(3))
    luma = (red * 77 + green * 150 + blue * 29) >> 8
    mixed = (3 * luma[..., None] + screen) >> np.uint16(2)
    span = np.uint16(theme.lightest - theme.darkest)
    lifted = (mixed * span) // np.uint16(255) + np.uint16(theme.darkest)
    result: np.ndarray = lifted.astype(np.uint8)
    return result


def darkened_grey(screen: np.ndarray) -> np.ndarray:
    """A screen in subdued grey: uint8 [..., Y, X] from RGB uint8 [..., Y, X, 3]."""
    grey: np.ndarray = subdued(screen).mean(axis=-1).astype(np.uint8)
    return grey


def _table(stops: Stops) -> np.ndarray:
    lightness, chroma, hue = np.array(stops).T
    angle = np.deg2rad(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
    place, knots = np.linspace(0, 1, 256), np.linspace(0, 1, len(stops))
    smooth = np.stack([np.interp(place, knots, lab[:, i]) for i in range(3)], axis=1)
    table: np.ndarray = (_srgb(_in_gamut(smooth)) * 255).astype(np.float32)
    return table


def _in_gamut(lab: np.ndarray) -> np.ndarray:
    """Linear RGB of OKLab colours [n, 3], greyed as far as a screen needs: lightness stays."""
    linear: np.ndarray = np.clip(_linear_rgb(lab * [1.0, 0.0, 0.0]), 0.0, 1.0)
    for share in np.linspace(0.0, 1.0, 101)[:, None]:
        candidate = _linear_rgb(lab * np.concatenate([np.ones(1), share, share]))
        fits = ((candidate >= 0.0) & (candidate <= 1.0)).all(axis=1)
        linear[fits] = candidate[fits]
    return linear


def _linear_rgb(lab: np.ndarray) -> np.ndarray:
    to_lms = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear: np.ndarray = (lab @ to_lms.T) ** 3 @ to_rgb.T
    return linear


def _srgb(linear: np.ndarray) -> np.ndarray:
    srgb: np.ndarray = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    return srgb
