"""Saliency maps on what the agent sees: the native-size pictures that panels enlarge.

Heat is a fill plus contour lines. What moves keeps its own colour and gets an outline, so that a
white ball shows in the hottest heat.
"""

from __future__ import annotations

import cv2
import numpy as np

from agentlens.drawing.colour import ramp, subdued
from agentlens.drawing.context import FrameContext, Layer, Scene
from agentlens.drawing.screens import moving_pixels
from agentlens.drawing.theme import Theme

LEVELS = (0.25, 0.5, 0.75)
"""Heat at which contour lines run; the colour bars name their raw values."""

_OWN = 0.72
"""Share of its own colour that a moving pixel keeps under full heat."""
_ABOVE = np.searchsorted(np.array(LEVELS) * 255, np.arange(256), side="right").astype(np.uint8)
"""How many levels each byte of heat reaches."""
_CROSS = np.ones((3, 3), np.uint8)


def newest_plane(scene: Scene) -> int:
    """Index, on the maps' planes axis, of the map that belongs on the present screen."""
    return len(scene.plane_names) - 1


def plane_map(scene: Scene, plane: int) -> int | None:
    """Index of the map of one plane of the stack (0 is the oldest), or None if it has none.

    A map made with one mask over the whole stack belongs to no single plane.
    """
    if len(scene.plane_names) == scene.depth > 1:
        return plane
    single = scene.plane_names in (("newest",), ("plane 0",)) or scene.depth == 1
    return 0 if single and scene.plane_names and plane == scene.depth - 1 else None


def screen_heat(context: FrameContext, layer: Layer) -> np.ndarray | None:
    """The heat of one target on the screen: float32 [Y, X], None for a step without a map."""
    values, spread = context.maps.get(layer.target.name), context.scene.spread
    if values is None or spread is None:
        return None
    return spread(layer.scale.heat(values[newest_plane(context.scene)]))


def plane_heat(context: FrameContext, layer: Layer, plane: int) -> np.ndarray | None:
    """The heat of one target on one plane of the stack: float32 [H, W], None without a map."""
    values, spread = context.maps.get(layer.target.name), context.scene.plane_spread
    index = plane_map(context.scene, plane)
    if values is None or index is None or spread is None:
        return None
    return spread(layer.scale.heat(values[index]))


def heat_on_screen(context: FrameContext, layer: Layer, heat: np.ndarray | None) -> np.ndarray:
    """What the agent sees, subdued, with heat over it; darker where the agent does not look.

    Args:
        heat: of ``screen_heat``, or None for the subdued screen alone.

    Returns:
        uint8 [Y, X, 3].
    """
    scene, moving, under = context.scene, context.moving, context.subdued
    if scene.spread is not None:
        moving, under = moving.copy(), under.copy()
        outside = np.ones(moving.shape, bool)
        top, bottom, left, right = scene.spread.crop
        outside[top:bottom, left:right] = False
        under[outside] = under[outside] // 2 + np.array(scene.theme.background, np.uint8) // 2
        moving &= ~outside
    return _on(under, context.screen, moving, heat, layer, scene.theme)


def heat_on_plane(context: FrameContext, layer: Layer | None, plane: int) -> np.ndarray:
    """A plane of the stack, subdued, with its own map over it where it has one.

    Returns:
        uint8 [H, W, 3]; the plane must not be empty.
    """
    picture = context.planes[plane]
    assert picture is not None, "the caller leaves empty planes out"
    colour = _in_colour(picture)
    moving = moving_pixels(colour, _in_colour(context.usual_plane))
    heat = None if layer is None else plane_heat(context, layer, plane)
    theme = context.scene.theme
    return _on(subdued(colour, theme), colour, moving, heat, layer, theme)


def _in_colour(plane: np.ndarray) -> np.ndarray:
    return plane if plane.ndim == 3 else np.repeat(plane[..., None], 3, axis=2)


def draw_contours(picture: np.ndarray, heat: np.ndarray, layer: Layer, theme: Theme) -> None:
    """Draw a line where the heat's magnitude passes each of ``LEVELS``: one pixel wide, or two
    where the screen is enlarged three times or more.

    Args:
        picture: uint8 [height, width, 3], an enlarged screen; changed in place.
        heat: float32 [Y, X] of the screen.
    """
    height, width = picture.shape[:2]
    small = cv2.convertScaleAbs(heat, alpha=255)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    above = cv2.LUT(large, _ABOVE)
    outer = cv2.dilate(above, _CROSS)
    lines = outer != (cv2.erode(above, _CROSS) if height >= 3 * heat.shape[0] else above)
    colours = contour_colours(layer, theme)
    picture[lines] = colours[outer[lines] - 1]


def scale_bar(layer: Layer, theme: Theme, width: int, height: int) -> np.ndarray:
    """A colour bar with its contour lines: uint8 [height, width, 3]."""
    target = layer.target
    heat = np.linspace(-1.0 if target.signed else 0.0, 1.0, width, dtype=np.float32)
    under = np.full((height, width, 3), (2 * theme.darkest + theme.lightest) // 3, np.uint8)
    bar = ramp(target.role, target.signed, theme).blend(under, np.tile(heat, (height, 1)))
    colours = contour_colours(layer, theme)
    for level, colour in zip(LEVELS, colours, strict=True):
        for place in (level, -level) if target.signed else (level,):
            bar[:, np.abs(heat - place).argmin()] = colour
    return bar


def contour_colours(layer: Layer, theme: Theme) -> np.ndarray:
    """Colour of each level's line: uint8 [levels, 3], one that shows beside its fill."""
    if layer.target.signed:  # the same to both sides, so the colour of neither
        return np.array([theme.muted, theme.text, theme.edge]).astype(np.uint8)
    rgb = ramp(layer.target.role, False, theme).rgb
    ends = [rgb[round(255 * place)] for place in (0.7, 1.0)]
    return np.array([*ends, theme.edge]).astype(np.uint8)


def _on(
    under: np.ndarray,
    screen: np.ndarray,
    moving: np.ndarray,
    heat: np.ndarray | None,
    layer: Layer | None,
    theme: Theme,
) -> np.ndarray:
    """Heat over a subdued screen, and what moves over both."""
    picture = under.copy()
    if heat is not None and layer is not None:
        picture = ramp(layer.target.role, layer.target.signed, theme).blend(under, heat)
    around = cv2.dilate(moving.view(np.uint8), _CROSS).view(bool) & ~moving
    picture[around] = picture[around] // 4 + np.array(theme.edge, np.uint8) // 4 * 3
    picture[moving] = (_OWN * screen[moving] + (1 - _OWN) * picture[moving]).astype(np.uint8)
    return picture
