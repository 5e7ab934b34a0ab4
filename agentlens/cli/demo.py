"""agentlens demo: ten seconds of the shipped Pong agent, and the picture of the README."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlens.cli._console import progress
from agentlens.cli._options import DeviceFlags
from agentlens.cli._verb import Verb

if TYPE_CHECKING:
    from agentlens.compute import Compute
    from agentlens.policies.agent import Agent
    from agentlens.store.maps import MapSet
    from agentlens.store.recording import Recording

AGENT = "pong-ppo"
SEED = 2
START, END = 75, 225
"""Steps explained: 150 decisions at frame skip 4 are ten seconds, in which it wins two points."""

RALLY = slice(112, 172)
"""Steps of the README's picture: one rally, which it wins."""

HIT = 158
"""The step of that rally just before the agent plays the ball back."""

OPPONENT_S_SIDE = 40
"""Columns of the screen in which only the opponent's paddle moves at that step."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Record the shipped Pong agent, explain ten seconds of play, draw the video and the picture
    of the README."""

    compute: DeviceFlags


def run(options: Options) -> int:
    """Run the demo and print the paths."""
    from agentlens.cli._agent import load_chosen
    from agentlens.cli._options import AgentChoice
    from agentlens.workflows.naming import RECORDINGS, fresh_path
    from agentlens.workflows.summary import recording_summary

    began = time.monotonic()
    agent, compute = load_chosen(AgentChoice(agent=AGENT), options.compute)
    recording, maps = explained(agent, compute, fresh_path(RECORDINGS, "demo"))
    video, picture = drawn(recording, maps)
    print(recording_summary(recording))
    print(discovery(recording, maps))
    print(f"made in {time.monotonic() - began:.0f} s")
    print(f"recording: {recording.folder}")
    print(f"maps: {maps.folder}")
    print(f"picture: {picture}")
    print(f"video: {video}")
    return 0


def explained(agent: Agent, compute: Compute, folder: Path) -> tuple[Recording, MapSet]:
    """The demo's game and its maps, over the recording's median picture."""
    from agentlens.rollout.play import Play
    from agentlens.rollout.recorder import record
    from agentlens.saliency.explain import explain
    from agentlens.saliency.methods.perturbation import Perturbation

    play, method = Play(seed=SEED, max_steps=END), Perturbation(reference="median")
    with progress("recording", "steps") as report:
        recording = record(agent, output=folder, play=play, compute=compute, progress=report)
    steps = range(START, END)
    with progress("explaining", "steps") as report:
        maps = explain(recording, method, steps=steps, compute=compute, progress=report)
    return recording, maps


def drawn(recording: Recording, maps: MapSet) -> tuple[Path, Path]:
    """The video of all explained steps, and the README's picture of one rally."""
    from agentlens.drawing.draw import Draw
    from agentlens.drawing.render import render

    folder, small = recording.folder, Draw(layout="compact", scale=2)
    with progress("drawing", "frames") as report:
        video = render(recording, maps, folder / f"{AGENT}.mp4", progress=report)
    picture = folder / f"{AGENT}.webp"
    with progress("drawing", "frames") as report:
        render(recording, maps, picture, steps=RALLY, draw=small, progress=report)
    return video, picture


def discovery(recording: Recording, maps: MapSet) -> str:
    """What the map of one step says: how much the ball and the opponent matter, in nats."""
    spec, shape = recording.header.agent.observation, recording.header.screen_shape
    row = maps.steps.tolist().index(HIT)
    columns = [spec.to_screen(0.0, column, shape)[1] for column in maps.grid.columns]
    values = maps.values[row, maps.targets.index("kl"), 0]
    opponent = values[:, [column < OPPONENT_S_SIDE for column in columns]].max()
    return (
        f"step {HIT}: hiding the ball moves the policy by {values.max():.2f} nats, hiding the "
        f"opponent's paddle by {opponent:.3f}"
    )


VERB = Verb(summary="ten seconds of the shipped Pong agent", options=Options, run=run, order=5)
