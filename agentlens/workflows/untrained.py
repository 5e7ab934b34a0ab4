"""The untrained twin: a network of an agent's shape that never learned.

Shape letters: T steps, S recurrent state.
"""

from __future__ import annotations

import numpy as np

from agentlens.errors import InvalidArgument
from agentlens.metrics._memory import with_own_memory
from agentlens.metrics._recorded import frames_of
from agentlens.network.taps import CHUNK
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy, build_policy
from agentlens.store.recording import Episode, Recording

TWIN_SEED = 20_011
"""Of the untrained twin's weights."""


def untrained_twin(agent: Agent, seed: int = TWIN_SEED) -> Policy:
    """The agent's network with fresh weights, on its device.

    Raises:
        InvalidArgument: a network that is not declared.
    """
    policy = agent.policy
    if not isinstance(policy, ChainPolicy):
        raise InvalidArgument(
            "this policy is code of its own: no untrained twin can be made of it, and without one "
            "a match means nothing. Declare its layers in agent.toml."
        )
    twin = build_policy(policy.network, agent.spec.observation, agent.spec.action, seed=seed)
    return twin.to(next(policy.parameters()).device)


def own_states(policy: Policy, recording: Recording, origins: np.ndarray) -> np.ndarray | None:
    """The memory that a policy itself would have before some steps of another's recording.

    The recorded memory is the agent's: a twin that is given it remembers what the agent learned
    to remember.

    Args:
        policy: with as much memory as the recording's agent.
        recording: whose steps they are.
        origins: int64 [T, 2], each step's episode and its place in it.

    Returns:
        float32 [T, S], begun empty 16 steps earlier, or at the last reset, and run along; None
        without memory.

    Notes:
        16 forward passes a step for a policy with memory, 64 steps at a time.
    """
    if policy.state_size == 0:
        return None
    states = np.zeros((len(origins), policy.state_size), np.float32)
    for episode in recording.episodes:
        rows = np.flatnonzero(origins[:, 0] == episode.index)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            states[part] = _own_states(policy, episode, origins[part, 1])
    return states


def _own_states(policy: Policy, episode: Episode, steps: np.ndarray) -> np.ndarray:
    device = next(policy.parameters()).device
    states = with_own_memory(policy, frames_of(episode, steps, device)).states
    assert states is not None  # the policy has a memory
    return states.cpu().numpy()
