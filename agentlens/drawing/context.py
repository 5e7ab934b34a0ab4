"""What a panel may look at: the scene, which holds for a whole video, and one step of it.

Panels get a :class:`FrameContext` and give a picture; they neither remember nor change anything.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentlens.badges import Badges
from agentlens.drawing.colour import subdued
from agentlens.drawing.scale import Scale
from agentlens.drawing.screens import moving_things
from agentlens.drawing.theme import Theme
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


@dataclass(frozen=True, kw_only=True)
class ObjectBox:
    """One object on the screen: edges in screen pixels, ends excluded.

    ``drawn``: whether it has a pixel there (sprites blink). ``cited``: whether the step's sentence
    may name it.
    """

    name: str
    top: int
    bottom: int
    left: int
    right: int
    drawn: bool
    cited: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What holds for a whole video.

    ``title``, ``facts``, ``method``: the header's texts. ``screen_shape``: (Y, X).
    ``layers``: the drawn targets, actor or Q first. ``plane_names``: what the maps' planes axis
    holds (as in MapHeader, empty without maps). ``depth``, ``plane_shape``:
    planes K of the frame stack and their (H, W).
    ``control``: the maps' agent-free control. ``spread``, ``plane_spread``: from map cells to the
    pixels of the screen and of a plane, None without maps. ``pooled``: whether the agent sees the
    maximum of two screens. ``has_boxes``, ``has_captions``: whether steps have any. ``numbers``:
    curves from inside the agent, where a table in the recording's folder has any. ``badges``:
    how far to believe the maps, None without maps or for maps in memory.
    """

    theme: Theme

    title: str
    facts: str
    method: str
    screen_shape: tuple[int, int]
    depth: int
    plane_shape: tuple[int, int]
    layers: tuple[Layer, ...]
    control: Layer | None
    plane_names: tuple[str, ...]
    spread: Upsampler | None
    plane_spread: Upsampler | None
    pooled: bool
    choices: Choices
    curves: tuple[Curve, ...]
    frames: int
    has_boxes: bool = False
    has_captions: bool = False
    numbers: tuple[Curve, ...] = ()
    badges: Badges | None = None

    def layer(self, target: str) -> Layer:
        """The drawn target of this name."""
        layers = self.layers if self.control is None else (*self.layers, self.control)
        return next(layer for layer in layers if layer.target.name == target)


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameContext:
    """One decision of an episode, with all that a panel may draw.

    Attributes:
        scene: what holds for the whole video.
        frame: index of this picture in the video. step: number of the decision in the episode.
        seconds: game time at 60 emulator frames a second.
        screen: uint8 [Y, X, 3], the screen at the moment of the decision, with the one that the
            agent's preprocessing pools with it where it does.
        background: uint8 [Y, X, 3], what usually is on the screen around this step; None where
            that is not known.
        planes: the frames of the stack, oldest first, uint8 [H, W], or [H, W, 3] in colour; None
            where the stack was still empty (zeros).
        maps: raw values of each drawn target, float32 [planes, gy, gx]; empty for a step that
            was not explained.
        outputs: logits or Q-values of the policy, float [A].
        action, explained_action: indices of the policy's outputs; the second is None where no
            drawn map depends on an action.
        total_reward: raw reward before this decision. lives: left, before it.
        boxes: of objects, where the recording has a table of them. caption: the sentence on this
            step, "" for none.
    """

    scene: Scene
    frame: int
    step: int
    seconds: float
    screen: np.ndarray
    background: np.ndarray | None
    planes: tuple[np.ndarray | None, ...]
    maps: Mapping[str, np.ndarray]
    outputs: np.ndarray
    action: int
    explained_action: int | None
    total_reward: float
    lives: int
    boxes: tuple[ObjectBox, ...] = ()
    caption: str = ""

    @functools.cached_property
    def row_values(self) -> np.ndarray:
        """Probability or Q-value of each row of the scene's choices: float64 [rows]."""
        groups = self.scene.choices.groups
        outputs = np.asarray(self.outputs, np.float64)
        if self.scene.choices.kind == "q_value":
            return np.array([outputs[list(group)].max() for group in groups])
        weights = np.exp(outputs - outputs.max())
        weights /= weights.sum()
        return np.array([weights[list(group)].sum() for group in groups])

    @functools.cached_property
    def moving(self) -> np.ndarray:
        """Where something stands that the background lacks: bool [Y, X]."""
        return moving_things(self.screen, self.background)

    @functools.cached_property
    def subdued(self) -> np.ndarray:
        """The screen as heat is laid on it: uint8 [Y, X, 3]."""
        return subdued(self.screen, self.scene.theme)

    @functools.cached_property
    def usual_plane(self) -> np.ndarray:
        """The median of the stack's frames: uint8 [H, W], or [H, W, 3] in colour."""
        kept = np.stack([plane for plane in self.planes if plane is not None])
        median: np.ndarray = np.sort(kept, axis=0)[(len(kept) - 1) // 2]
        return median

    @property
    def taken(self) -> int:
        """Row of the action that was taken."""
        return self.scene.choices.row_of(self.action)

    @property
    def explained(self) -> int | None:
        """Row of the explained action."""
        action = self.explained_action
        return None if action is None else self.scene.choices.row_of(action)
