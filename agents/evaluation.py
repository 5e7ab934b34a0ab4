"""Plays whole episodes with a trained model and says what it scored.

Letters: B episodes played together, K stacked planes, H W plane, A actions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from recipe import EnvironmentSettings, EvaluationSettings
from sb3_contrib import RecurrentPPO
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from vector_env import open_atari


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One whole game.

    Attributes:
        index: Place among the episodes of this evaluation.
        raw_return: Sum of the unclipped rewards, in points of the game.
        decisions: Length.
        digest: Of every newest plane, action and reward: equal only for the same game.
    """

    index: int
    raw_return: float
    decisions: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Score:
    """Mean and standard deviation (n - 1) of the raw return, episode and distinct counts."""

    mean: float
    sd: float
    episodes: int
    distinct: int


def summarise(episodes: Sequence[Episode]) -> Score:
    """Reduce episodes to their score."""
    returns = np.array([episode.raw_return for episode in episodes])
    return Score(
        mean=float(returns.mean()),
        sd=float(returns.std(ddof=1)) if len(returns) > 1 else 0.0,
        episodes=len(episodes),
        distinct=len({episode.digest for episode in episodes}),
    )


def play_episodes(
    model: BaseAlgorithm,
    environment: EnvironmentSettings,
    evaluation: EvaluationSettings,
    *,
    episodes: int,
    seed: int,
    num_threads: int,
) -> list[Episode]:
    """Play the first `episodes` episodes by index, all of them to their end.

    Episode i is drawn from `(seed, i)` alone: its no-ops and its actions do not depend on how
    many are played. They run side by side, and none is left out for being slow.

    Args:
        model: A loaded PPO, RecurrentPPO or DQN.
        environment: The training's protocol; an episode is a whole game with raw rewards
            whatever the training clipped or cut.
        evaluation: How actions are chosen.
        episodes: How many to play.
        seed: Seed of the evaluation.
        num_threads: Emulator threads.
    """
    draws = [np.random.default_rng([seed, i]) for i in range(episodes)]
    atari = open_atari(environment, num_envs=episodes, num_threads=num_threads)
    starts = np.array([draw.integers(2**31) for draw in draws])
    observations, _ = atari.reset(seed=starts)
    chooser = _Chooser(model, evaluation, episodes)
    digests = [hashlib.blake2b(digest_size=16) for _ in range(episodes)]
    returns = np.zeros(episodes)
    lengths = np.zeros(episodes, dtype=np.int64)
    playing = np.ones(episodes, dtype=bool)
    while playing.any():
        rows = np.flatnonzero(playing)
        actions = np.zeros(episodes, dtype=np.int64)
        actions[rows] = chooser.choose(observations[rows], rows, draws)
        before = observations[:, -1].copy()
        observations, rewards, terminated, truncated, _ = atari.step(actions)
        returns[rows] += rewards[rows]
        lengths[rows] += 1
        for i in rows:
            digests[i].update(before[i].tobytes() + bytes([actions[i]]) + rewards[i].tobytes())
        playing &= ~(terminated | truncated)
    atari.close()
    return [
        Episode(
            index=i,
            raw_return=float(returns[i]),
            decisions=int(lengths[i]),
            digest=digests[i].hexdigest(),
        )
        for i in range(episodes)
    ]


class _Chooser:
    """Turns observations into actions, carrying the memory of a recurrent model."""

    def __init__(self, model: BaseAlgorithm, evaluation: EvaluationSettings, episodes: int) -> None:
        self._model = model
        self._evaluation = evaluation
        self._memory: tuple[torch.Tensor, torch.Tensor] | None = None
        if isinstance(model, RecurrentPPO):
            layers, _, hidden = model.policy.lstm_hidden_state_shape
            self._memory = (
                torch.zeros(layers, episodes, hidden, device=model.device),
                torch.zeros(layers, episodes, hidden, device=model.device),
            )
        model.policy.set_training_mode(False)

    @torch.no_grad()
    def choose(
        self,
        observations: NDArray[np.uint8],
        rows: NDArray[np.int64],
        draws: Sequence[np.random.Generator],
    ) -> NDArray[np.int64]:
        """Return one action per row, int64[B], for observations uint8[B, K, H, W]."""
        preferences = self._preferences(torch.as_tensor(observations).to(self._model.device), rows)
        greedy = preferences.argmax(axis=1)
        if self._evaluation.selection == "greedy":
            return greedy
        if self._evaluation.selection == "epsilon":
            return np.array(
                [
                    draws[i].integers(preferences.shape[1])
                    if draws[i].random() < self._evaluation.epsilon
                    else action
                    for i, action in zip(rows, greedy, strict=True)
                ]
            )
        cumulative = preferences.cumsum(axis=1)
        drawn = np.array([draws[i].random() for i in rows])[:, None]
        return (drawn >= cumulative / cumulative[:, -1:]).sum(axis=1)

    def _preferences(
        self, observations: torch.Tensor, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return probabilities, or Q-values of a DQN, float64[B, A]."""
        policy = self._model.policy
        if isinstance(self._model, DQN):
            return self._model.q_net(observations).double().cpu().numpy()
        if self._memory is None:
            distribution = policy.get_distribution(observations).distribution
            return distribution.probs.double().cpu().numpy()
        index = torch.as_tensor(rows, device=observations.device)
        memory = (self._memory[0][:, index], self._memory[1][:, index])
        starts = torch.zeros(len(rows), device=observations.device)
        distribution, memory = policy.get_distribution(observations, memory, starts)
        for kept, new in zip(self._memory, memory, strict=True):
            kept[:, index] = new
        return distribution.distribution.probs.double().cpu().numpy()
