"""agentlens video: the whole job in one command."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import AgentChoice, Compute
from agentlens.cli._verb import Verb
from agentlens.workflows.options import DrawOptions, Location, MapOptions, PlayOptions


@dataclass(frozen=True, kw_only=True)
class Options:
    """Record an episode, explain every step and draw the video.

    Examples:
      agentlens video pong-ppo
      agentlens video model.80.tar --format baby-a3c --env ALE/Breakout-v5 --max-steps 0
    """

    source: AgentChoice
    play: PlayOptions
    maps: MapOptions
    drawing: DrawOptions
    compute: Compute
    max_steps: int = 900
    """Decisions to play (900 at frame skip 4 is a minute); 0 for the whole game."""
    start: int = 0
    """First step that is explained and drawn."""
    folder: Location = None
    """Folder of the recording; recordings/AGENT-seedN if not given."""
    output: Location = None
    """The video; a fresh name in the recording's folder if not given. mp4, webm, gif, webp, png."""
    force: bool = False
    """Overwrite the recording and the video."""


def run(options: Options) -> int:
    """Do the whole job and print where things lie."""
    from agentlens.cli._agent import load_chosen
    from agentlens.workflows.summary import recording_summary
    from agentlens.workflows.video import video

    agent, device = load_chosen(options.source, options.compute)
    done = video(
        agent,
        options.output,
        play=options.play,
        maps=options.maps,
        draw=options.drawing,
        max_steps=options.max_steps,
        start=options.start,
        folder=options.folder,
        device=device,
        threads=options.compute.threads,
        force=options.force,
        stages=progress,
        say=lambda line: print(line, file=sys.stderr),
    )
    print(recording_summary(done.recording))
    print(f"recording: {done.recording.folder}")
    print(f"maps: {done.maps.folder}")
    print(f"video: {done.path}")
    return 0


VERB = Verb(summary="record, explain and draw an agent's play", options=Options, run=run, order=0)
