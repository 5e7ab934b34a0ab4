"""The random baseline: every action with the same probability, whatever it sees."""

from __future__ import annotations

from agentlens.policies.base import Policy
from agentlens.policies.checkpoint import Format
from agentlens.policies.constant import ConstantPolicy
from agentlens.spec import AgentSpec


def _build(spec: AgentSpec) -> Policy:
    return ConstantPolicy(spec, (0.0,) * len(spec.action.meanings))


FORMAT = Format(summary="no weights: uniform over the actions, a baseline", build=_build)
