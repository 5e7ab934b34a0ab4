"""Whether a critic's values are too high or too low, where it is known what they predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_shape
from agentlens.comparison.statistics import Interval, bootstrap, of_means, resampling
from agentlens.store.recording import Recording


@dataclass(frozen=True, kw_only=True)
class ValueBias:
    """Mean of value minus discounted return on the agent's own states, in ``reward`` units.

    Positive: the critic hopes for too much. ``gamma`` and ``reward`` are those of its training.
    Only episodes that the game ended count, since a cut one's return is unknown, and only games
    without lives.
    """

    agent: str
    states: int
    episodes: int
    gamma: float
    reward: str
    bias: Interval


def value_bias(recording: Recording, agent: str) -> ValueBias | None:
    """Measure the bias; None where gamma or the reward's scaling is not known, no value is, or a
    life is lost: many critics learn that a lost life is the end, and then they do not predict the
    game's return; nothing says which do.
    """
    value = recording.header.agent.value
    if value.gamma is None or value.reward not in ("raw", "clipped"):
        return None
    if any((np.diff(e.lives.astype(np.int64)) < 0).any() for e in recording.episodes if len(e)):
        return None
    gaps = []
    for episode in recording.episodes:
        if episode.end == "terminated" and episode.values is not None and len(episode):
            rewards = episode.rewards if value.reward == "raw" else episode.clipped_rewards
            gaps.append(episode.values - discounted(rewards, value.gamma))
    if not gaps:
        return None
    sums, counts = np.array([g.sum() for g in gaps]), np.array([len(g) for g in gaps])
    return ValueBias(
        agent=agent,
        states=int(counts.sum()),
        episodes=len(gaps),
        gamma=value.gamma,
        reward=value.reward,
        bias=bootstrap(of_means(sums, counts), len(gaps), resampling()).interval(),
    )


def discounted(rewards: np.ndarray, gamma: float) -> np.ndarray:
    """Discounted return from each step to the end: float64 [T] of float [T].

    Example:
        >>> discounted(np.array([0.0, 0.0, 1.0]), 0.5).tolist()
        [0.25, 0.5, 1.0]
    """
    check_shape("rewards", rewards, (None,))
    totals = np.zeros(len(rewards) + 1)
    for step in range(len(rewards) - 1, -1, -1):
        totals[step] = rewards[step] + gamma * totals[step + 1]
    return totals[:-1]
