"""Games side by side for their returns alone, on emulator handles or on ``AtariVectorEnv``.

Both kinds of table play the same games: same starts, same draws, same ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from agentlens.arrays import scale_planes
from agentlens.envs.palette import Palette
from agentlens.envs.vector import VectorGames
from agentlens.rollout.outputs import Outputs
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.rollout.stuck import StuckDetector
from agentlens.spec import AgentSpec


class Turn(NamedTuple):
    """One decision of one game: raw reward, the newest plane before it, and why the game ended."""

    reward: float
    plane: np.ndarray
    end: str


class Table(Protocol):
    """Some games by seat, each begun when it is wanted."""

    @property
    def seats(self) -> int:
        """How many games fit."""
        ...

    def begin(self, seat: int, seed: EpisodeSeed) -> None:
        """Begin an episode."""
        ...

    def observation(self, seat: int) -> np.ndarray:
        """What the agent sees: float32 [K, H, W], scaled, oldest plane first."""
        ...

    def state(self, seat: int) -> np.ndarray | None:
        """The recurrent state before the next decision; ``None`` without memory."""
        ...

    def play(
        self, seats: Sequence[int], actions: Sequence[int], outputs: Sequence[Outputs]
    ) -> list[Turn]:
        """Play one decision at each of some seats."""
        ...


class EmulatorTable:
    """Players on emulator handles: any protocol."""

    def __init__(self, spec: AgentSpec, state_size: int, seats: int, *, stuck_after: int) -> None:
        palette = Palette()
        self._players = [
            Player(spec, state_size, palette=palette, stuck_after=stuck_after)
            for _ in range(seats)
        ]  # fmt: skip

    @property
    def seats(self) -> int:
        """How many games fit."""
        return len(self._players)

    def begin(self, seat: int, seed: EpisodeSeed) -> None:
        """Begin an episode."""
        self._players[seat].begin(seed)

    def observation(self, seat: int) -> np.ndarray:
        """What the agent sees: float32 [K, H, W]."""
        return self._players[seat].observation

    def state(self, seat: int) -> np.ndarray | None:
        """The recurrent state before the next decision."""
        return self._players[seat].state

    def play(
        self, seats: Sequence[int], actions: Sequence[int], outputs: Sequence[Outputs]
    ) -> list[Turn]:
        """Play one decision at each of some seats."""
        turns = []
        for seat, action, said in zip(seats, actions, outputs, strict=True):
            row = self._players[seat].play(action, said)
            turns.append(Turn(row.reward, row.plane, self._players[seat].end))
        return turns


class VectorTable:
    """Games on ``AtariVectorEnv``, for agents without memory that ``vector_refusal`` lets pass."""

    def __init__(self, spec: AgentSpec, seats: int, *, stuck_after: int) -> None:
        self._games = VectorGames(spec, seats)
        self._divisor = spec.observation.scale_divisor
        self._stuck = [StuckDetector(stuck_after) for _ in range(seats)]
        self._lives = np.zeros(seats, np.int64)

    @property
    def seats(self) -> int:
        """How many games fit."""
        return len(self._stuck)

    def begin(self, seat: int, seed: EpisodeSeed) -> None:
        """Begin an episode."""
        self._lives[seat] = self._games.begin(seat, seed=seed.emulator, rules=seed.rules())
        self._stuck[seat].begin()

    def observation(self, seat: int) -> np.ndarray:
        """What the agent sees: float32 [K, H, W]."""
        return scale_planes(self._games.planes[seat], self._divisor)

    def state(self, seat: int) -> np.ndarray | None:
        """``None``: no memory."""
        return None

    def play(
        self, seats: Sequence[int], actions: Sequence[int], outputs: Sequence[Outputs]
    ) -> list[Turn]:
        """Play one decision at each of some seats."""
        before = self._games.planes[:, -1].copy()
        after = self._games.step(seats, actions)
        turns = []
        for seat in seats:
            progress = bool(after.rewards[seat] or after.lives[seat] != self._lives[seat])
            stuck = self._stuck[seat].see(self._games.planes[seat, -1], progress=progress)
            self._lives[seat] = after.lives[seat]
            end = "stuck" if stuck else ""
            if after.terminated[seat] or after.truncated[seat]:
                end = "terminated" if after.terminated[seat] else "truncated"
            turns.append(Turn(float(after.rewards[seat]), before[seat], end))
        return turns
