"""agentlens demo: ten seconds of the shipped Pong agent, explained plane by plane."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import Compute
from agentlens.cli._verb import Verb

AGENT = "pong-ppo"
SEED = 2
START, END = 75, 225
"""Steps drawn: 150 decisions at frame skip 4 are ten seconds, in which it wins two points."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Record the shipped Pong agent, explain ten seconds of play and draw the video."""

    compute: Compute


def run(options: Options) -> int:
    """Run the demo and print the paths."""
    from agentlens.cli._agent import load_chosen
    from agentlens.cli._options import AgentChoice
    from agentlens.workflows.options import MapOptions, PlayOptions
    from agentlens.workflows.summary import recording_summary
    from agentlens.workflows.video import video

    began = time.monotonic()
    agent, device = load_chosen(AgentChoice(agent=AGENT), options.compute)
    done = video(
        agent,
        play=PlayOptions(seed=SEED),
        maps=MapOptions(planes="each"),
        max_steps=END,
        start=START,
        device=device,
        threads=options.compute.threads,
        stages=progress,
        say=lambda line: print(line, file=sys.stderr),
    )
    print(recording_summary(done.recording))
    print(f"made in {time.monotonic() - began:.0f} s")
    print(f"recording: {done.recording.folder}")
    print(f"maps: {done.maps.folder}")
    print(f"video: {done.path}")
    return 0


VERB = Verb(summary="ten seconds of the shipped Pong agent", options=Options, run=run, order=5)
