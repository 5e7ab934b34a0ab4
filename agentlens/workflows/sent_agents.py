"""Agents on their way to another process: by their folder, never by their tensors."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from agentlens.errors import AgentlensError
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.weights import weights_digest


@dataclass(frozen=True, kw_only=True)
class SentAgent:
    """Where an agent lies, and whether code that it names may run."""

    folder: Path
    trust_code: bool

    def load(self) -> Agent:
        """The agent, loaded once in a process."""
        return _loaded(self)


def sent_agent(agent: Agent) -> SentAgent:
    """An agent that ``can_be_sent``, as it travels."""
    assert agent.folder is not None
    return SentAgent(folder=agent.folder.resolve(), trust_code=agent.trust_code)


def can_be_sent(agent: Agent) -> bool:
    """Whether another process gets this very agent, and its world, from its folder.

    Not where it was made or changed in memory, and not where its world is a Gymnasium id: what
    registered that may have run in this process alone.
    """
    if agent.folder is None or agent.spec.environment.kind == "gymnasium":
        return False
    try:
        again = sent_agent(agent).load()
    except AgentlensError:
        return False
    return (
        again.spec == agent.spec
        and type(again.policy) is type(agent.policy)
        and weights_digest(again.policy) == weights_digest(agent.policy)
    )


@functools.cache
def _loaded(sent: SentAgent) -> Agent:
    return load_agent(sent.folder, trust_code=sent.trust_code)
