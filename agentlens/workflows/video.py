"""The whole job: an agent plays, every step is explained, the video is drawn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from agentlens.drawing.render import check_drawing, render
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import Progress, silent
from agentlens.rollout.recorder import record
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording
from agentlens.workflows.explain import check_maps, explain_as
from agentlens.workflows.naming import RECORDINGS, fresh_path
from agentlens.workflows.options import DrawOptions, MapOptions, PlayOptions

Stages = Callable[[str, str], AbstractContextManager[Progress]]


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """What ``video`` made: the recording, its maps and the file."""

    recording: Recording
    maps: MapSet
    path: Path


def unwatched(stage: str, unit: str) -> AbstractContextManager[Progress]:
    """Report to nobody."""
    return nullcontext(silent)


def video(
    agent: Agent | Path | str,
    output: Path | str | None = None,
    *,
    play: PlayOptions = PlayOptions(),  # noqa: B008 (frozen)
    maps: MapOptions = MapOptions(),  # noqa: B008 (frozen)
    draw: DrawOptions = DrawOptions(),  # noqa: B008 (frozen)
    max_steps: int = 0,
    start: int = 0,
    folder: Path | str | None = None,
    device: str = "auto",
    threads: int = 0,
    force: bool = False,
    stages: Stages = unwatched,
    say: Callable[[str], None] = lambda line: None,
) -> VideoJob:
    """Record one episode, explain it and draw it.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        output: the video; a fresh name in the recording's folder if not given. Its suffix
            chooses the format.
        play, maps, draw: the choices of the three stages.
        max_steps: decisions after which the episode is cut; 0 for the whole game.
        start: first step that is explained and drawn.
        folder: of the recording; a fresh one under ``recordings/`` if not given.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads, 0 for one a core.
        force: overwrite ``output`` and ``folder``.
        stages: makes the progress report of a stage from its name and unit.
        say: called with a line for the user.

    Returns:
        The recording, the maps and the path of the video.
    """
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    name = agent.spec.name
    _check(output, maps, draw, max_steps, start, force)
    where = Path(folder) if folder else fresh_path(RECORDINGS, f"{name}-seed{play.seed}")
    with stages("recording", "steps") as report:
        recording = record(
            agent,
            episodes=1,
            seed=play.seed,
            output=where,
            max_steps=max_steps,
            device=device,
            selection=play.chosen,
            epsilon=play.epsilon,
            force=force,
            progress=report,
        )
    steps = slice(start, None)
    with stages("explaining", "steps") as report:
        found = explain_as(
            recording,
            maps,
            steps=steps,
            device=device,
            threads=threads,
            force=force,
            progress=report,
            say=say,
        )
    path = Path(output) if output else fresh_path(where, name, ".mp4")
    with stages("drawing", "frames") as report:
        path = render(
            recording,
            found,
            path,
            steps=steps,
            fps=draw.fps,
            scale=draw.scale,
            layout=draw.layout,
            force=force,
            progress=report,
        )
    return VideoJob(recording=recording, maps=found, path=path)


def _check(
    output: Path | str | None,
    maps: MapOptions,
    draw: DrawOptions,
    max_steps: int,
    start: int,
    force: bool,
) -> None:
    """Refuse what cannot work before the first step is played."""
    check_maps(maps)
    check_drawing(
        Path(output or "video.mp4"),
        fps=draw.fps,
        scale=draw.scale,
        layout=draw.layout,
        force=force or output is None,
    )
    if start < 0 or (max_steps and start >= max_steps):
        raise InvalidArgument(
            f"start {start}: expected 0 to {max_steps - 1}, the last step played."
        )
