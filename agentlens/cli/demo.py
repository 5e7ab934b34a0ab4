"""agentlens demo: ten seconds of the shipped Pong agent, explained plane by plane."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._options import DeviceFlags
from agentlens.cli._verb import Verb

AGENT = "pong-ppo"
SEED = 2
START, END = 75, 225
"""Steps drawn: 150 decisions at frame skip 4 are ten seconds, in which it wins two points."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Record the shipped Pong agent, explain ten seconds of play and draw the video."""

    compute: DeviceFlags


def run(options: Options) -> int:
    """Run the demo and print the paths."""
    from agentlens.cli._agent import load_chosen
    from agentlens.cli._options import AgentChoice
    from agentlens.drawing.render import render
    from agentlens.rollout.play import Play
    from agentlens.rollout.recorder import record
    from agentlens.saliency.explain import explain
    from agentlens.saliency.methods.perturbation import Perturbation
    from agentlens.workflows.naming import RECORDINGS, fresh_path
    from agentlens.workflows.summary import recording_summary

    began = time.monotonic()
    agent, compute = load_chosen(AgentChoice(agent=AGENT), options.compute)
    folder = fresh_path(RECORDINGS, f"{AGENT}-seed{SEED}")
    with progress("recording", "steps") as report:
        recording = record(
            agent,
            output=folder,
            play=Play(seed=SEED, max_steps=END),
            compute=compute,
            progress=report,
        )
    with progress("explaining", "steps") as report:
        maps = explain(
            recording,
            Perturbation(planes="each"),
            steps=range(START, END),
            compute=compute,
            progress=report,
        )
    with progress("drawing", "frames") as report:
        path = render(recording, maps, folder / f"{AGENT}.mp4", progress=report)
    print(recording_summary(recording))
    print(f"made in {time.monotonic() - began:.0f} s")
    print(f"recording: {recording.folder}")
    print(f"maps: {maps.folder}")
    print(f"video: {path}")
    return 0


VERB = Verb(summary="ten seconds of the shipped Pong agent", options=Options, run=run, order=5)
