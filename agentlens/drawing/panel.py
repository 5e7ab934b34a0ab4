"""What a panel is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from agentlens.drawing.context import FrameContext, Scene
from agentlens.registry import Registry


class Panel(Protocol):
    """A rectangle of the video: a final frozen dataclass that neither remembers nor mutates."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the video."""

    @classmethod
    def for_scene(cls, scene: Scene, width: int) -> Sequence[Panel]:
        """The panels that this kind would make of a scene in a column of that width; none where
        the scene has nothing for it."""

    def draw(self, context: FrameContext) -> np.ndarray:
        """A new picture of one step: uint8 [height, width, 3]."""


PANELS: Registry[type[Panel]] = Registry(
    package="agentlens.drawing.panels",
    attribute="PANEL",
    kind="panel",
    group="agentlens.panels",
)
