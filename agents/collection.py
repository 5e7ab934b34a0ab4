"""Decisions of many games, kept on the device that learns from them.

The environments are two groups or more that take turns: while the network answers one group, the
emulators of the others play. Letters: G groups, T steps, B environments of a group, K stacked
planes, H W plane, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from recipe import EnvironmentSettings
from stable_baselines3.common.policies import ActorCriticPolicy
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


@dataclass(frozen=True, kw_only=True)
class Batch:
    """N decisions to learn from.

    Attributes:
        observations: uint8[N, K, H, W], 0 to 255.
        actions: int64[N].
        log_probabilities: float32[N], of the actions when they were taken.
        advantages: float32[N].
        targets: float32[N], what the value is to become.
    """

    observations: torch.Tensor
    actions: torch.Tensor
    log_probabilities: torch.Tensor
    advantages: torch.Tensor
    targets: torch.Tensor


class Collector:
    """Plays T steps in all groups with the present policy.

    Args:
        groups: The emulators, all of the same size.
        policy: Network of stable-baselines3 with convolutions over stacked planes.
        steps: T.
        gamma: Discount of a decision.
        gae_lambda: Decay of the advantage estimate (Schulman et al. 2016, eq. 16).
    """

    def __init__(
        self,
        groups: Sequence[EmulatorGroup],
        policy: ActorCriticPolicy,
        *,
        steps: int,
        gamma: float,
        gae_lambda: float,
    ) -> None:
        self._groups = groups
        self._policy = policy
        self._gamma = gamma
        self._gae_lambda = gae_lambda
        shape = (len(groups), steps, groups[0].num_envs)
        device = policy.device
        planes = policy.observation_space.shape
        self._observations = torch.zeros((*shape, *planes), dtype=torch.uint8, device=device)
        self._actions = torch.zeros(shape, dtype=torch.int64, device=device)
        self._rewards, self._values, self._log_probabilities, self._continues = (
            torch.zeros(shape, device=device) for _ in range(4)
        )
        self._next: list[torch.Tensor] = []

    def reset(self, seed: int) -> None:
        """Start new episodes in all environments."""
        self._next = [self._upload(group.reset(seed + g)) for g, group in enumerate(self._groups)]

    @torch.no_grad()
    def collect(self) -> tuple[Batch, list[float]]:
        """Play T steps.

        Returns:
            G * T * B decisions, and the raw returns of the games that ended meanwhile.
        """
        returns: list[float] = []
        steps = self._rewards.shape[1]
        for t in range(steps + 1):
            for g, group in enumerate(self._groups):
                if t > 0:
                    returns += self._receive(group, g, t - 1)
                if t < steps:
                    group.send(self._act(g, t))
        advantages = self._advantages()
        batch = Batch(
            observations=self._observations.flatten(0, 2),
            actions=self._actions.flatten(),
            log_probabilities=self._log_probabilities.flatten(),
            advantages=advantages.flatten(),
            targets=(advantages + self._values).flatten(),
        )
        return batch, returns

    def _act(self, g: int, t: int) -> NDArray[np.int64]:
        observations = self._next[g]
        logits, values = evaluate(self._policy, observations)
        log_probabilities = logits.log_softmax(dim=1)
        actions = torch.multinomial(log_probabilities.exp(), 1)
        self._observations[g, t] = observations
        self._actions[g, t] = actions[:, 0]
        self._log_probabilities[g, t] = log_probabilities.gather(1, actions)[:, 0]
        self._values[g, t] = values
        return actions[:, 0].cpu().numpy()

    def _receive(self, group: EmulatorGroup, g: int, t: int) -> list[float]:
        step = group.receive()
        self._next[g] = self._upload(step.observations)
        rewards = torch.from_numpy(step.rewards)
        if len(step.cut):
            _, values = evaluate(self._policy, self._upload(step.last_observations))
            rewards[step.cut] += self._gamma * values.cpu()
        self._rewards[g, t] = rewards.to(self._policy.device)
        self._continues[g, t] = torch.from_numpy(~step.ends).to(self._policy.device).float()
        return step.returns

    def _upload(self, observations: NDArray[np.uint8]) -> torch.Tensor:
        return torch.from_numpy(observations.copy()).to(self._policy.device)

    def _advantages(self) -> torch.Tensor:
        """Return the estimates, float32[G, T, B], from the last step back to the first."""
        following = torch.stack([evaluate(self._policy, planes)[1] for planes in self._next])
        advantages = torch.zeros_like(self._rewards)
        running = torch.zeros_like(following)
        for t in reversed(range(self._rewards.shape[1])):
            alive = self._continues[:, t]
            surprise = self._rewards[:, t] + self._gamma * alive * following - self._values[:, t]
            running = surprise + self._gamma * self._gae_lambda * alive * running
            advantages[:, t] = running
            following = self._values[:, t]
        return advantages


def evaluate(
    policy: ActorCriticPolicy, observations: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits float32[B, A] and values float32[B] of observations uint8[B, K, H, W]."""
    features = policy.features_extractor(observations.float().div_(255.0))
    return policy.action_net(features), policy.value_net(features)[:, 0]
