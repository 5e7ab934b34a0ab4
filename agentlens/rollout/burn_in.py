"""How far back a recurrent agent's choices reach: its memory emptied some decisions earlier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy
from agentlens.policies.device import choose_device
from agentlens.store.recording import Episode, Recording


def burn_in_distances(
    recording: Recording,
    agent: Agent,
    *,
    steps: Sequence[int],
    samples: int = 64,
    device: str = "auto",
) -> dict[int, tuple[float, int]]:
    """Distance between choices with the whole memory and with that of the last few decisions.

    Args:
        recording: of the agent, or its revisit of another's; finished episodes count.
        agent: a recurrent one with logits.
        steps: numbers of decisions k after which the memory, emptied, is compared.
        samples: states, evenly spread over those with at least ``max(steps)`` before them.
        device: as ``load_agent``.

    Returns:
        For each k the mean total variation between the two action distributions, 0 to 1, and
        the number of states; nothing where no episode is long enough.

    Raises:
        InvalidArgument: an agent without memory or without logits.

    Notes:
        ``samples`` * (k + 1) forward passes for each k, in batches of ``samples``.
    """
    policy = agent.to(choose_device(device)).policy
    if policy.state_size == 0 or policy.kind != "logits":
        raise InvalidArgument(
            f"{agent.spec.name}: a burn-in needs an agent with memory and action probabilities."
        )
    longest = max(steps)
    places = [
        (episode, t)
        for episode in recording.episodes
        if episode.complete
        for t in range(longest, len(episode))
    ]
    if not places:
        return {}
    chosen = [places[i] for i in np.unique(np.linspace(0, len(places) - 1, samples).astype(int))]
    recorded = _softmax(np.stack([_logits(episode)[t] for episode, t in chosen]))
    distances = {}
    for k in steps:
        short = _softmax(_after_burn_in(policy, chosen, k))
        distances[k] = (float(np.abs(short - recorded).sum(axis=1).mean() / 2), len(chosen))
    return distances


def _after_burn_in(policy: Policy, chosen: Sequence[tuple[Episode, int]], k: int) -> np.ndarray:
    """Logits [n, A] of a policy whose memory was empty k decisions before."""
    windows = np.stack([episode.observations[t - k : t + 1] for episode, t in chosen])
    resets = np.stack([episode.state_resets[t - k : t + 1] for episode, t in chosen])
    device = next(policy.parameters()).device
    state = policy.initial_state(len(chosen))
    logits = np.zeros(0)
    with torch.inference_mode():
        for step in range(k + 1):
            kept = torch.from_numpy(~resets[:, step]).to(device)
            observation = torch.from_numpy(np.ascontiguousarray(windows[:, step])).to(device)
            assert state is not None, "checked by state_size"
            output = policy(observation, state * kept[:, None])
            state, logits = output.state, output.preferences.double().cpu().numpy()
    return logits


def _logits(episode: Episode) -> np.ndarray:
    assert episode.logits is not None, "checked by kind"
    return episode.logits


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return probabilities
