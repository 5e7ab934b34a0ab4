"""What a panel may look at: the scene, which holds for a whole video, and one step of it.

Panels get a :class:`FrameContext` and give a picture; they neither remember nor change anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from agentlens.drawing.scale import Scale
from agentlens.drawing.upsample import Upsampler
from agentlens.spec import TargetInfo


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One target of the map set as it is drawn: what it is and how its values become heat."""

    target: TargetInfo
    scale: Scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Choices:
    """The rows of the action bars: actions that do the same are one row.

    ``names`` one a row; ``groups``: the actions (indices of the policy's outputs) of each row.
    ``kind``: "probability" (summed over a group) or "q_value" (its maximum). ``low`` and
    ``high``: ends of every bar, the same for the whole video.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    kind: Literal["probability", "q_value"]
    low: float
    high: float

    def row_of(self, action: int) -> int:
        """The row that an action belongs to."""
        return next(row for row, group in enumerate(self.groups) if action in group)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One quantity over the drawn steps: ``values`` float32 [frames], in ``unit``.

    ``role`` chooses the colour. ``display`` as in a target: "sqrt" draws the square root, while
    all numbers written stay raw. Frames without a value hold NaN and are left out.
    """

    name: str
    unit: str
    role: str
    values: np.ndarray
    display: Literal["identity", "sqrt"] = "identity"


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What holds for a whole video.

    ``title``, ``facts``, ``method``: the header's texts. ``screen_shape``: (Y, X).
    ``layers``: the drawn targets, actor or Q first. ``plane_names``: what the maps' planes axis
    holds (as in MapHeader, empty without maps). ``depth``: planes K of the frame stack.
    ``spread``: from map cells to screen pixels, None without maps.
    """

    title: str
    facts: str
    method: str
    screen_shape: tuple[int, int]
    depth: int
    layers: tuple[Layer, ...]
    plane_names: tuple[str, ...]
    spread: Upsampler | None
    choices: Choices
    curves: tuple[Curve, ...]
    frames: int

    def layer(self, target: str) -> Layer:
        """The drawn target of this name."""
        return next(layer for layer in self.layers if layer.target.name == target)


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameContext:
    """One decision of an episode, with all that a panel may draw.

    Attributes:
        scene: what holds for the whole video.
        frame: index of this picture in the video. step: number of the decision in the episode.
        seconds: game time at 60 emulator frames a second.
        screen: uint8 [Y, X, 3], the screen at the moment of the decision.
        past_screens: the screens behind the K planes of the stack, oldest first; None where the
            stack was still empty (zeros).
        maps: raw values of each drawn target, float32 [planes, gy, gx]; empty for a step that
            was not explained.
        row_values: float [rows], probability or Q-value of each row of the scene's choices.
        taken, explained: rows; ``explained`` is None where there is no map.
        total_reward: raw reward before this decision. lives: left, before it.
    """

    scene: Scene
    frame: int
    step: int
    seconds: float
    screen: np.ndarray
    past_screens: tuple[np.ndarray | None, ...]
    maps: Mapping[str, np.ndarray]
    row_values: np.ndarray
    taken: int
    explained: int | None
    total_reward: float
    lives: int


class Panel(Protocol):
    """A rectangle of the video: ``size`` is (width, height)."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the video."""

    def draw(self, context: FrameContext) -> np.ndarray:
        """A new picture of one step: uint8 [height, width, 3]."""
