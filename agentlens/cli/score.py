"""agentlens score: an agent's mean raw return, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.cli._verb import Verb
from agentlens.rollout.play import GAMES, Play


@dataclass(frozen=True, kw_only=True)
class Options:
    """Play whole games at the agent's own protocol and print the mean raw return.

    Example: agentlens score pong-ppo --episodes 20
    """

    source: AgentChoice
    compute: DeviceFlags
    play: Play = GAMES


def run(options: Options) -> int:
    """Play and print protocol, score, interval and the number of distinct games."""
    from agentlens.cli._agent import load_chosen
    from agentlens.workflows.score import score, score_lines
    from agentlens.workflows.summary import protocol_text

    agent, compute = load_chosen(options.source, options.compute)
    with progress("playing", "games") as report:
        measured = score(
            agent,
            play=options.play,
            compute=compute,
            progress=report,
        )
    print(f"agent: {measured.spec.name} ({measured.spec.algorithm or measured.spec.format})")
    print(f"protocol: {protocol_text(measured.spec)}")
    print("\n".join(score_lines(measured)))
    return 0


VERB = Verb(summary="measure an agent's score", options=Options, run=run, order=35)
