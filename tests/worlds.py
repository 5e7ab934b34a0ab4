"""Tiny Gymnasium environments whose pictures and rewards tests can foretell."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np

ROWS, COLUMNS = 24, 32
COLOURED = "AgentlensTestColour-v0"
LARGE = "AgentlensTestLarge-v0"
"""The coloured world in the least size, 36 x 40, that the Nature CNN reads."""
LONG = "AgentlensTestLong-v0"
"""The large one for 110 steps: enough for a mask network to learn from."""
DRAWN = "AgentlensTestDrawn-v0"
SHARES = "AgentlensTestShares-v0"
LENGTH = 12


class Colour(gymnasium.Env[np.ndarray, int]):
    """A red block that wanders over noise; its own observation is the picture."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        render_mode: str | None = None,
        length: int = LENGTH,
        shape: tuple[int, int] = (ROWS, COLUMNS),
    ) -> None:
        self.render_mode, self._length, self._shape = render_mode, length, shape
        self.observation_space = gymnasium.spaces.Box(0, 255, (*shape, 3), np.uint8)
        self.action_space = gymnasium.spaces.Discrete(3)

    def get_action_meanings(self) -> list[str]:
        return ["STAY", "LEFT", "RIGHT"]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._time = int(self.np_random.integers(4, COLUMNS - 4)), 0
        return self.picture(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self._place = int(np.clip(self._place + (0, -1, 1)[action], 2, COLUMNS - 3))
        self._time += 1
        return self.picture(), float(action == 2), self._time >= self._length, False, {}

    def picture(self) -> np.ndarray:
        picture = self.np_random.integers(0, 64, (*self._shape, 3), dtype=np.uint8)
        picture[10:13, self._place - 1 : self._place + 2] = (255, 0, 0)
        return picture

    def render(self) -> np.ndarray:  # type: ignore[override]
        return self.picture()


class Shares(Colour):
    """The same, with rewards that are no whole numbers."""

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        picture, _, terminated, truncated, info = super().step(action)
        return picture, 0.946 - 0.1 * self._time, terminated, truncated, info


class Drawn(gymnasium.Env[np.ndarray, int]):
    """Numbers as observation, a picture from ``render``."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = gymnasium.spaces.Box(0, 99, (1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2, start=5)
        self._time = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self._time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert action in (5, 6)
        self._time += 1
        return np.full(1, self._time, np.float32), 1.0, False, self._time >= 9, {}

    def render(self) -> np.ndarray:  # type: ignore[override]
        picture = np.zeros((40, 30, 3), np.uint8)
        picture[self._time, :, 1] = 200
        return picture


def register() -> None:
    """Make them known to Gymnasium; twice is fine."""
    for name, kind in ((COLOURED, Colour), (DRAWN, Drawn), (SHARES, Shares)):
        if name not in gymnasium.registry:
            gymnasium.register(name, kind, disable_env_checker=True)
    if LARGE not in gymnasium.registry:
        gymnasium.register(LARGE, Colour, kwargs={"shape": (36, 40)}, disable_env_checker=True)
    if LONG not in gymnasium.registry:
        kwargs = {"shape": (36, 40), "length": 110}
        gymnasium.register(LONG, Colour, kwargs=kwargs, disable_env_checker=True)
