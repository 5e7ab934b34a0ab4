"""Decisions of many games, kept on the device that learns from them.

The environments are two groups or more that take turns: while the network answers one group, the
emulators of the others play. Letters: T steps, B environments of a group, N of all groups, K
stacked planes, H W plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from actors import Actor, Answer, Batch
from numpy.typing import NDArray
from recipe import EnvironmentSettings
from vector_env import open_atari


@dataclass(frozen=True, kw_only=True)
class Step:
    """What one group's emulators answer to its actions.

    Attributes:
        observations: uint8[B, K, H, W], 0 to 255; the next episode's first where one has ended.
        rewards: float32[B], clipped to their sign if the settings say so.
        ends: bool[B], what the learner is told: ends of games, and of lives if so set.
        cut: Environments whose game met the frame limit.
        last_observations: uint8[len(cut), K, H, W], the last ones of those games.
        returns: Raw returns of the games that ended, in points.
    """

    observations: NDArray[np.uint8]
    rewards: NDArray[np.float32]
    ends: NDArray[np.bool_]
    cut: NDArray[np.int64]
    last_observations: NDArray[np.uint8]
    returns: list[float]


class EmulatorGroup:
    """B environments that are told their actions, and asked later what came of them."""

    def __init__(self, settings: EnvironmentSettings, *, num_envs: int, num_threads: int) -> None:
        self.num_envs = num_envs
        self._settings = settings
        self._atari = open_atari(settings, num_envs=num_envs, num_threads=num_threads)
        self._returns = np.zeros(num_envs, dtype=np.float64)
        self._lives = np.zeros(num_envs, dtype=np.int32)

    def reset(self, seed: int) -> NDArray[np.uint8]:
        """Start B new episodes and return their first observations, uint8[B, K, H, W]."""
        seeds = np.random.default_rng(seed).integers(2**31, size=self.num_envs)
        observations, info = self._atari.reset(seed=seeds)
        self._returns[:] = 0.0
        self._lives = info["lives"].copy()
        return observations.copy()

    def send(self, actions: NDArray[np.int64]) -> None:
        """Start a step with the actions, int64[B]."""
        self._atari.send(actions)

    def receive(self) -> Step:
        """Wait for the step that `send` began."""
        observations, rewards, terminated, truncated, info = self._atari.recv()
        self._returns += rewards
        over = terminated | truncated
        returns = self._returns[over].tolist()
        self._returns[over] = 0.0
        ends = over.copy()
        if self._settings.terminal_on_life_loss:
            ends |= info["lives"] < self._lives
        self._lives = info["lives"].copy()
        cut = np.flatnonzero(truncated & ~terminated)
        learned = np.sign(rewards) if self._settings.clip_rewards else rewards
        return Step(
            observations=observations,
            rewards=learned.astype(np.float32),
            ends=ends,
            cut=cut,
            last_observations=info["final_obs"][cut].copy() if len(cut) else observations[:0],
            returns=returns,
        )

    def close(self) -> None:
        """Let the emulators go."""
        self._atari.close()


class Collector:
    """Plays T steps in all environments with the present policy.

    Args:
        groups: The emulators, all groups of the same size.
        actor: Who plays.
        steps: T.
        gamma: Discount of a decision.
        gae_lambda: Decay of the advantage estimate (Schulman et al. 2016, eq. 16).
    """

    def __init__(
        self,
        groups: Sequence[EmulatorGroup],
        actor: Actor,
        *,
        steps: int,
        gamma: float,
        gae_lambda: float,
    ) -> None:
        self._groups = groups
        self._actor = actor
        self._gamma = gamma
        self._gae_lambda = gae_lambda
        self._device = actor.policy.device
        size = groups[0].num_envs
        self._columns = [slice(g * size, (g + 1) * size) for g in range(len(groups))]
        num_envs = size * len(groups)
        planes = actor.policy.observation_space.shape
        self._observations = self._zeros(steps + 1, num_envs, *planes, dtype=torch.uint8)
        self._starts = self._zeros(steps + 1, num_envs, dtype=torch.bool)
        self._actions = self._zeros(steps, num_envs, dtype=torch.int64)
        self._rewards, self._values, self._log_probabilities = (
            self._zeros(steps, num_envs, dtype=torch.float32) for _ in range(3)
        )
        self._memory = actor.empty_memory(num_envs)

    def _zeros(self, *shape: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.zeros(shape, dtype=dtype, device=self._device)

    def reset(self, seed: int) -> None:
        """Start new episodes in all environments."""
        for g, (group, columns) in enumerate(zip(self._groups, self._columns, strict=True)):
            self._observations[-1, columns] = torch.from_numpy(group.reset(seed + g)).to(
                self._device
            )
        self._starts[-1] = True

    @torch.no_grad()
    def collect(self) -> tuple[Batch, list[float]]:
        """Play T steps.

        Returns:
            The decisions, and the raw returns of the games that ended meanwhile.
        """
        self._observations[0] = self._observations[-1]
        self._starts[0] = self._starts[-1]
        memory = tuple(part.clone() for part in self._memory)
        returns: list[float] = []
        steps = len(self._rewards)
        for t in range(steps + 1):
            for group, columns in zip(self._groups, self._columns, strict=True):
                if t > 0:
                    returns += self._receive(group, columns, t)
                if t < steps:
                    group.send(self._act(columns, t))
        advantages = self._advantages()
        batch = Batch(
            observations=self._observations[:-1],
            actions=self._actions,
            log_probabilities=self._log_probabilities,
            advantages=advantages,
            targets=advantages + self._values,
            starts=self._starts[:-1],
            memory=memory,
        )
        return batch, returns

    def _act(self, columns: slice, t: int) -> NDArray[np.int64]:
        answer = self._answer(columns, t)
        for part, new in zip(self._memory, answer.memory, strict=True):
            part[:, columns] = new
        log_probabilities = answer.logits.log_softmax(dim=1)
        actions = torch.multinomial(log_probabilities.exp(), 1)
        self._actions[t, columns] = actions[:, 0]
        self._log_probabilities[t, columns] = log_probabilities.gather(1, actions)[:, 0]
        self._values[t, columns] = answer.values
        return actions[:, 0].cpu().numpy()

    def _answer(self, columns: slice, t: int) -> Answer:
        memory = tuple(part[:, columns] for part in self._memory)
        return self._actor.answer(self._observations[t, columns], memory, self._starts[t, columns])

    def _receive(self, group: EmulatorGroup, columns: slice, t: int) -> list[float]:
        """Take the answer to the actions of step t - 1, whose observations belong to step t."""
        step = group.receive()
        self._observations[t, columns] = torch.from_numpy(step.observations).to(self._device)
        self._starts[t, columns] = torch.from_numpy(step.ends).to(self._device)
        rewards = torch.from_numpy(step.rewards).to(self._device)
        if len(step.cut):
            rewards[step.cut] += self._gamma * self._values_of_cut_games(step, columns)
        self._rewards[t - 1, columns] = rewards
        return step.returns

    def _values_of_cut_games(self, step: Step, columns: slice) -> torch.Tensor:
        observations = torch.from_numpy(step.last_observations).to(self._device)
        memory = tuple(part[:, columns][:, step.cut] for part in self._memory)
        going_on = self._zeros(len(step.cut), dtype=torch.bool)
        return self._actor.answer(observations, memory, going_on).values

    def _advantages(self) -> torch.Tensor:
        """Return the estimates, float32[T, N], from the last step back to the first."""
        steps = len(self._rewards)
        following = torch.cat([self._answer(columns, steps).values for columns in self._columns])
        advantages = torch.zeros_like(self._rewards)
        running = torch.zeros_like(following)
        for t in reversed(range(steps)):
            alive = (~self._starts[t + 1]).float()
            surprise = self._rewards[t] + self._gamma * alive * following - self._values[t]
            running = surprise + self._gamma * self._gae_lambda * alive * running
            advantages[t] = running
            following = self._values[t]
        return advantages
