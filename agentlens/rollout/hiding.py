"""A frame stack with a part of every frame hidden, each frame at its own time.

Shape letters: C channels of a frame, K = stack x C planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agentlens.spec import ObservationSpec


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """What there is to see at one decision, nothing hidden.

    ``observation``: float32 [K, H, W], scaled, oldest frame first. ``state``: float32 [S], the
    recurrent state before the step as it was with nothing hidden, ``None`` without memory.
    ``episode``, ``step``: they seed whatever is drawn. ``reset``: the stack was emptied before
    this step's frame came in. ``channels``: C, planes of a frame.
    """

    observation: np.ndarray
    state: np.ndarray | None
    episode: int
    step: int
    reset: bool
    channels: int = 1

    @property
    def frame(self) -> np.ndarray:
        """The newest frame: float32 [C, H, W]."""
        return self.observation[-self.channels :]


Hide = Callable[[Sight], np.ndarray]
"""From a sight to its newest frame with the region filled: float32 [C, H, W]."""

Fill = Callable[[Sight], np.ndarray]
"""From a sight to what fills its newest frame: float32, to broadcast to [C, H, W]."""

Mask = Callable[[Sight], np.ndarray]
"""From a sight to the region at its time: float32 [H, W] in [0, 1], 1 = hidden."""


class Cover:
    """Hides a region, which may move from step to step, behind a fill: ``o + m * (r - o)``.

    Attributes:
        region: float32 [H, W], what was hidden last; ``None`` before the first sight.
    """

    def __init__(self, mask: Mask, fill: Fill) -> None:
        self._mask, self._fill = mask, fill
        self.region: np.ndarray | None = None

    def __call__(self, sight: Sight) -> np.ndarray:
        """The newest frame of a sight, covered in every channel: float32 [C, H, W]."""
        frame, self.region = sight.frame, self._mask(sight)
        filled: np.ndarray = frame + self.region * (self._fill(sight) - frame)
        return filled


def hide(mask: Mask, fill: Fill) -> Cover:
    """What hides a region behind a fill; see ``Cover``."""
    return Cover(mask, fill)


class HiddenStack:
    """The stack that an agent sees whose frames are hidden as they come in.

    Args:
        spec: how the agent's stack is built.
        hide: what hides a frame.
    """

    def __init__(self, spec: ObservationSpec, hide: Hide) -> None:
        self._spec, self._hide = spec, hide
        self._planes = np.zeros(spec.shape, np.float32)

    def push(self, sight: Sight) -> np.ndarray:
        """Take in the newest frame of a sight; returns the hidden stack, float32 [K, H, W].

        The array is made anew each time.
        """
        frame = self._hide(sight).astype(np.float32)
        if sight.reset:
            empty = frame if self._spec.stack_fill == "repeat" else np.zeros_like(frame)
            older = np.tile(empty, (self._spec.stack - 1, 1, 1))
        else:
            older = self._planes[self._spec.channels :]
        self._planes = np.concatenate([older, frame])
        return self._planes
