"""The untrained twin: a network of an agent's shape that never learned."""

from __future__ import annotations

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import ChainPolicy, build_policy

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
