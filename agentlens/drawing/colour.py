"""Colours: the heat ramps, computed here, and the few colours of everything else.

The ramps run through OKLab (Ottosson 2020) with lightness rising steadily, so that more heat is
always lighter, in grey print and for colour-blind readers too. Heat lies on a darkened grey
screen, more opaque where it is larger; the colour bars are blended the same way and match it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

BACKGROUND: Colour = (13, 16, 21)
SURFACE: Colour = (23, 27, 35)
LINE: Colour = (52, 59, 72)
TEXT: Colour = (232, 236, 242)
MUTED: Colour = (150, 159, 173)
WARNING: Colour = (255, 214, 102)
ACCENTS: dict[str, Colour] = {
    "actor": (255, 168, 76),
    "q": (255, 168, 76),
    "critic": (86, 204, 214),
    "control": (196, 176, 232),
    "score": (214, 220, 228),
}
"""Colour of a role's title and curve; it is taken from the middle of the role's ramp."""

BAR_GREY = 40
"""Grey under a colour bar: about that of a dark game's background."""

# lightness, chroma and hue (degrees) of evenly spaced stops
_WARM = (
    (0.38, 0.16, 310),
    (0.52, 0.22, 355),
    (0.66, 0.21, 38),
    (0.82, 0.17, 74),
    (0.97, 0.12, 104),
)
_COOL = (
    (0.38, 0.16, 285),
    (0.52, 0.18, 262),
    (0.66, 0.14, 232),
    (0.82, 0.13, 185),
    (0.97, 0.10, 140),
)
_POSITIVE = ((0.42, 0.12, 40), (0.62, 0.19, 45), (0.80, 0.16, 68), (0.96, 0.11, 100))
_NEGATIVE = ((0.42, 0.14, 270), (0.62, 0.16, 256), (0.80, 0.11, 228), (0.96, 0.05, 200))


@dataclass(frozen=True, eq=False)
class Ramp:
    """Colours of heat: ``rgb`` float32 [n, 3] in 0-255 and ``alpha`` float32 [n] in 0-1.

    Unsigned ramps have 256 entries from 0 to 1; signed ones 511 from -1 to 1. ``mixtures``
    uint32 [n, 256] holds every entry over every grey, as R, G, B and a spare byte.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    mixtures: np.ndarray
    signed: bool

    def blend(self, grey: np.ndarray, heat: np.ndarray) -> np.ndarray:
        """Lay heat over a grey picture.

        Args:
            grey: uint8 [Y, X].
            heat: float32 [Y, X] in [0, 1], or [-1, 1] for a signed ramp; beyond is clipped.

        Returns:
            uint8 [Y, X, 3]; exactly the grey picture where the heat is 0.
        """
        centre = 255 if self.signed else 0
        index = np.rint(np.clip(heat, -1.0 if self.signed else 0.0, 1.0) * 255).astype(np.intp)
        mixed = self.mixtures.ravel().take((index + centre) * 256 + grey)
        colours: np.ndarray = mixed.view(np.uint8).reshape(*grey.shape, 4)[..., :3]
        return colours


@functools.cache
def ramp(role: str, signed: bool) -> Ramp:
    """The ramp of a target's role: warm for actors and Q, cool for critics, two-sided if signed."""
    alpha = 0.85 * np.linspace(0, 1, 256, dtype=np.float32) ** 0.6
    if signed:
        rgb = np.concatenate([_table(_NEGATIVE)[::-1], _table(_POSITIVE)[1:]])
        alpha = np.concatenate([alpha[::-1], alpha[1:]])
    else:
        rgb = _table(_COOL if role == "critic" else _WARM)
    grey = np.arange(256, dtype=np.float32)[None, :, None]
    over = (rgb * alpha[:, None])[:, None] + (1.0 - alpha)[:, None, None] * grey
    mixtures = np.zeros((len(rgb), 256, 4), np.uint8)
    mixtures[..., :3] = (over + 0.5).astype(np.uint8)
    return Ramp(rgb, alpha, mixtures.view(np.uint32)[..., 0], signed)


def darkened_grey(screen: np.ndarray) -> np.ndarray:
    """The grey picture that heat is laid on: uint8 [..., Y, X] from RGB uint8 [..., Y, X, 3].

    Luma (BT.601 weights, in 256ths) at half its brightness, lifted a little off black.
    """
    red, green, blue = (screen[..., i].astype(np.uint16) for i in range(3))
    grey: np.ndarray = ((red * 77 + green * 150 + blue * 29) >> 9).astype(np.uint8) + np.uint8(10)
    return grey


def _table(stops: tuple[tuple[float, float, float], ...]) -> np.ndarray:
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
