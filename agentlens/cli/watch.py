"""agentlens watch: play and explain at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from agentlens.cli._console import fail, progress
from agentlens.cli._options import AgentChoice, Compute
from agentlens.cli._verb import Verb
from agentlens.workflows.options import DrawOptions, Location, MapOptions, PlayOptions


@dataclass(frozen=True, kw_only=True)
class Options:
    """Play a game, explain every decision as it is made, and write the video as it comes.

    The video grows as NAME.partial.mp4, which players such as mpv read while it does. Ctrl-C ends
    the game and finishes the video. Nothing else is kept: `agentlens video` with the same seed
    records the same game.

    Example: agentlens watch pong-ppo --max-steps 300
    """

    source: AgentChoice
    play: PlayOptions
    maps: MapOptions
    drawing: DrawOptions
    compute: Compute
    max_steps: int = 900
    """Decisions to play (900 at frame skip 4 is a minute); 0 for the whole game."""
    warm_up: int = 60
    """First decisions whose maps set the display scales, which are fixed from then on."""
    output: Location = None
    """The video; a fresh name in videos/ if not given. mp4, webm, gif, webp."""
    force: bool = False
    """Overwrite the video."""


def run(options: Options) -> int:
    """Watch a game and print how fast it went."""
    from agentlens.cli._agent import load_chosen
    from agentlens.workflows.watch import watch, watched_lines

    agent, device = load_chosen(options.source, options.compute)
    with progress("watching", "decisions") as report:
        done = watch(
            agent,
            options.output,
            play=options.play,
            maps=options.maps,
            draw=options.drawing,
            max_steps=options.max_steps,
            warm_up=options.warm_up,
            device=device,
            threads=options.compute.threads,
            force=options.force,
            progress=report,
            say=lambda line: print(line, file=sys.stderr),
        )
    print("\n".join(watched_lines(done)))
    print(f"video: {done.path}")
    if done.end.startswith("SIG"):
        return fail(f"stopped by {done.end}; the video holds the game so far.", code=130)
    return 0


VERB = Verb(summary="play and explain at once, live", options=Options, run=run, order=7)
