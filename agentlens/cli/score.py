"""agentlens score: an agent's mean raw return, with its interval."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.cli._verb import Verb
from agentlens.workflows.options import PlayOptions


@dataclass(frozen=True, kw_only=True)
class Options:
    """Play whole games at the agent's own protocol and print the mean raw return.

    Example: agentlens score pong-ppo --episodes 20
    """

    source: AgentChoice
    play: PlayOptions
    compute: DeviceFlags
    episodes: int = 20
    """Whole games."""
    n_envs: int = 8
    """Games played side by side; the result does not depend on it."""


def run(options: Options) -> int:
    """Play and print protocol, score, interval and the number of distinct games."""
    from agentlens.cli._agent import load_chosen
    from agentlens.workflows.score import score, score_lines
    from agentlens.workflows.summary import protocol_text

    agent, compute = load_chosen(options.source, options.compute)
    with progress("playing", "games") as report:
        measured = score(
            agent,
            episodes=options.episodes,
            seed=options.play.seed,
            n_envs=options.n_envs,
            device=compute.device,
            selection=options.play.chosen,
            epsilon=options.play.epsilon,
            progress=report,
        )
    print(f"agent: {measured.spec.name} ({measured.spec.algorithm or measured.spec.format})")
    print(f"protocol: {protocol_text(measured.spec)}")
    print("\n".join(score_lines(measured)))
    return 0


VERB = Verb(summary="measure an agent's score", options=Options, run=run, order=35)
