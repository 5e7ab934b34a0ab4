"""agentlens watch: play and explain at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.cli._console import ConsoleStages, fail
from agentlens.cli._method import MethodFlags
from agentlens.cli._options import AgentChoice, ComputeFlags
from agentlens.cli._verb import Verb
from agentlens.drawing.draw import Draw
from agentlens.workflows.options import A_MINUTE, GameOptions, Location

if TYPE_CHECKING:
    from agentlens.workflows.watch import Watched


@dataclass(frozen=True, kw_only=True)
class Options:
    """Play a game, explain every decision as it is made, and write the video as it comes.

    The video grows in a hidden file whose name is printed; players such as mpv read it while it
    does. Ctrl-C ends the game and finishes the video. Nothing else is kept: `agentlens video` with
    the same seed records the same game.

    Example: agentlens watch pong-ppo --max-steps 300
    """

    source: AgentChoice
    play: GameOptions = A_MINUTE
    maps: MethodFlags
    drawing: Draw
    compute: ComputeFlags
    output: Location = None
    """The video; a fresh name in videos/ if not given. mp4, webm, gif, webp."""
    force: bool = False
    """Overwrite the video."""


def run(options: Options) -> int:
    """Watch a game and print how fast it went."""
    from agentlens.cli._agent import load_chosen
    from agentlens.workflows.watch import watch

    agent, compute = load_chosen(options.source, options.compute)
    watched = watch(
        agent,
        options.output,
        play=options.play.games,
        method=options.maps.configured(),
        compute=compute,
        draw=options.drawing,
        force=options.force,
        reporter=ConsoleStages(),
    )
    print("\n".join(watched_lines(watched)))
    print(f"video: {watched.path}")
    if watched.end.startswith("SIG"):
        return fail(f"stopped by {watched.end}; the video holds the game so far.", code=130)
    return 0


def watched_lines(done: Watched) -> list[str]:
    """How fast it went, where the time went and how the game ended: a line each."""
    stages = ", ".join(f"{name} {ms:.0f}" for name, ms in done.stages.items())
    return [
        f"{done.steps} decisions in {done.seconds:.1f} s: {done.rate:.1f} a second, "
        f"{done.rate / done.real_time:.2f} times real time ({done.real_time:.1f} a second)",
        f"milliseconds a decision: {stages} (play and explain run beside draw and encode)",
        f"ended: {done.end}, raw return so far {done.raw_return:+g}",
    ]


VERB = Verb(summary="play and explain at once, live", options=Options, run=run, order=7)
