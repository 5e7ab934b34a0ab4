"""agentlens agents: what can be named where a command wants an agent."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """List the agents that are found by name: ./agents, $AGENTLENS_AGENTS, the shipped ones."""


def run(options: Options) -> int:
    """Print name, game, algorithm, score, licence and place of every agent."""
    from agentlens.policies.catalogue import list_agents
    from agentlens.workflows.summary import score_text

    rows = []
    for entry in list_agents():
        spec = entry.spec
        score = score_text(spec.score) if spec.score else "not measured"
        rows.append((spec.name, spec.environment.game, spec.algorithm, score, spec.licence))
    table(("name", "game", "algorithm", "score (raw return)", "licence"), rows)
    return 0


VERB = Verb(summary="list the agents that can be named", options=Options, run=run, order=10)
