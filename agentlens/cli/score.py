"""agentlens score: an agent's mean raw return, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.cli._console import progress
from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.cli._verb import Verb
from agentlens.rollout.play import GAMES, Play

if TYPE_CHECKING:
    from agentlens.workflows.score import Score


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
    from agentlens.workflows.score import score
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


def score_lines(measured: Score) -> list[str]:
    """Score, games and what the score rests on: a line each."""
    from agentlens.workflows.summary import return_text, score_text

    returns = [game.raw_return for game in measured.games]
    interval, reference = measured.interval, measured.spec.score
    between = "no interval from one game"
    if len(returns) > 1:
        low, high = (return_text(bound, returns) for bound in (interval.low, interval.high))
        between = f"95 % interval {low} to {high}"
    lines = [
        f"score: {return_text(interval.estimate, returns)} "
        f"(sd {return_text(measured.sd, returns)[1:]}; {between})",
        f"games: {len(returns)} whole games by index from seed {measured.seed}, raw return "
        f"{min(returns):+g} to {max(returns):+g}, {measured.distinct} distinct",
    ]
    for end in sorted({game.end for game in measured.games} - {"terminated"}):
        count = sum(game.end == end for game in measured.games)
        lines.append(f"warning: {count} of them did not end by themselves ({end}).")
    if measured.distinct < len(returns):
        lines.append("warning: games repeat; the interval rests on fewer than it seems.")
    if reference is not None and len(returns) > 1:
        agrees = "within" if interval.holds(reference.mean) else "outside"
        lines.append(f"the agent's card says {score_text(reference)}: {agrees} this interval")
    return lines


VERB = Verb(summary="measure an agent's score", options=Options, run=run, order=35)
