"""agentlens watch: play and explain at once."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import ConsoleStages, fail
from agentlens.cli._method import MethodFlags
from agentlens.cli._options import AgentChoice, ComputeFlags
from agentlens.cli._verb import Verb
from agentlens.drawing.draw import Draw
from agentlens.workflows.options import A_MINUTE, GameOptions, Location


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
    from agentlens.workflows.watch import watch, watched_lines

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


VERB = Verb(summary="play and explain at once, live", options=Options, run=run, order=7)
