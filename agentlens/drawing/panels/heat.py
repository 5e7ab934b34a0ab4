"""The game in grey with one target's heat over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.drawing.colour import ACCENTS, BACKGROUND, MUTED, WARNING
from agentlens.drawing.context import FrameContext, Scene
from agentlens.drawing.heat import heat_on_screen, newest_plane
from agentlens.drawing.pixels import canvas, fill, fitted_size, paste_fitted
from agentlens.drawing.text import NORMAL, SMALL, draw_text

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
        picture = canvas(self.size, BACKGROUND)
        width, height = self.size
        layer = context.scene.layer(self.target)
        accent = ACCENTS[layer.target.role]
        fill(picture, 0, 4, 4, 12, accent)
        title = f"{_ROLES[layer.target.role]} · {self.target}"
        used = 12 + draw_text(picture, title, 12, 0, size=NORMAL, width=width - 12)
        note, colour = _note(context, layer.target.role)
        draw_text(
            picture,
            note,
            width,
            2,
            size=SMALL,
            colour=colour,
            align="right",
            width=max(0, width - used - 12),
        )
        values = context.maps.get(self.target)
        newest = None if values is None else values[newest_plane(context.scene)]
        screen = heat_on_screen(context.scene, layer, context.screen, newest)
        paste_fitted(
            picture, screen, top=TITLE_HEIGHT, width=width, height=max(1, height - TITLE_HEIGHT)
        )
        return picture


def _note(context: FrameContext, role: str) -> tuple[str, tuple[int, int, int]]:
    if not context.maps:
        return "no map of this step", WARNING
    if role in ("actor", "q") and context.explained not in (None, context.taken):
        assert context.explained is not None
        names = context.scene.choices.names
        return f"explains {names[context.explained]}, took {names[context.taken]}", WARNING
    planes = context.scene.plane_names
    return ("newest plane" if len(planes) > 1 or planes == ("newest",) else ""), MUTED


PANEL = Heat
