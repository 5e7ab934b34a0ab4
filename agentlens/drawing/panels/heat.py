"""The game in grey with one target's heat over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.caption import explains_action
from agentlens.drawing.context import FrameContext, Layer, Scene
from agentlens.drawing.heat import draw_contours, heat_on_screen, screen_heat
from agentlens.drawing.pixels import canvas, fill, fitted_size, paste_fitted
from agentlens.drawing.text import SMALL, draw_text

TITLE_HEIGHT = 24
_ROLES = {"actor": "actor", "critic": "critic", "q": "Q-values", "control": "control"}


@dataclass(frozen=True, kw_only=True)
class Heat:
    """One target's map on the present screen; a badge shows when it explains another action.

    With one map a plane, this panel shows the newest plane's: the others belong on past screens.
    """

    size: tuple[int, int]
    target: str

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> tuple[Heat, ...]:
        """One panel a drawn target, as high as the screen needs."""
        height, _ = fitted_size(scene.screen_shape, width, 10_000)
        size = (width, height + TITLE_HEIGHT)
        return tuple(cls(size=size, target=layer.target.name) for layer in scene.layers)

    def draw(self, context: FrameContext) -> np.ndarray:
        """The heat of this step."""
        theme = context.scene.theme
        picture = canvas(self.size, theme.background)
        width, height = self.size
        layer = context.scene.layer(self.target)
        accent = theme.accents[layer.target.role]
        fill(picture, 0, 4, 4, 12, accent)
        title = f"{_ROLES[layer.target.role]} · {self.target}"
        used = 12 + draw_text(picture, title, 12, 0, colour=theme.text, width=width - 12)
        note, strong = _note(context, layer)
        draw_text(
            picture,
            note,
            width,
            2,
            size=SMALL,
            colour=theme.warning if strong else theme.muted,
            align="right",
            width=max(0, width - used - 12),
        )
        heat = screen_heat(context, layer)
        screen = heat_on_screen(context, layer, heat)
        room = max(1, height - TITLE_HEIGHT)
        space = paste_fitted(picture, screen, top=TITLE_HEIGHT, width=width, height=room)
        if heat is not None and space.shape[0] >= heat.shape[0]:
            draw_contours(space, heat, layer, theme)
        return picture


def _note(context: FrameContext, layer: Layer) -> tuple[str, bool]:
    """What must be said of this step's map, and whether it should strike the eye."""
    if not context.maps:
        return "no map of this step", True
    if explains_action(layer.target) and context.explained not in (None, context.taken):
        assert context.explained is not None
        names = context.scene.choices.names
        return f"explains {names[context.explained]}, took {names[context.taken]}", True
    planes = context.scene.plane_names
    return ("newest plane" if len(planes) > 1 or planes == ("newest",) else ""), False


PANEL = Heat
