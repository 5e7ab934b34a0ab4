"""Saliency maps on screens: the native-size pictures that panels enlarge."""

from __future__ import annotations

import numpy as np

from agentlens.drawing.colour import darkened_grey, ramp
from agentlens.drawing.context import Layer, Scene


def newest_plane(scene: Scene) -> int:
    """Index, on the maps' planes axis, of the map that belongs on the present screen."""
    return len(scene.plane_names) - 1


def plane_map(scene: Scene, plane: int) -> int | None:
    """Index of the map of one plane of the stack (0 is the oldest), or None if it has none.

    A map made with one mask over the whole stack belongs to no single past screen.
    """
    if len(scene.plane_names) == scene.depth > 1:
        return plane
    single = scene.plane_names in (("newest",), ("plane 0",)) or scene.depth == 1
    return 0 if single and scene.plane_names and plane == scene.depth - 1 else None


def heat_on_screen(
    scene: Scene, layer: Layer, screen: np.ndarray, values: np.ndarray | None
) -> np.ndarray:
    """A screen in dark grey with one map's heat over it, darker where the agent does not look.

    Args:
        screen: uint8 [Y, X, 3].
        values: raw map, float32 [gy, gx], or None for the grey screen alone.

    Returns:
        uint8 [Y, X, 3].
    """
    grey = darkened_grey(screen)
    if scene.spread is not None:
        grey = _dimmed_outside(grey, scene.spread.crop)
    if values is None or scene.spread is None:
        return np.repeat(grey[..., None], 3, axis=2)
    heat = scene.spread(layer.scale.heat(values))
    return ramp(layer.target.role, layer.target.signed).blend(grey, heat)


def _dimmed_outside(grey: np.ndarray, crop: tuple[int, int, int, int]) -> np.ndarray:
    top, bottom, left, right = crop
    dimmed = grey // 2
    dimmed[top:bottom, left:right] = grey[top:bottom, left:right]
    return dimmed
