"""The whole job: an agent plays, every step is explained, the video is drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentlens.compute import Compute
from agentlens.drawing.draw import Draw
from agentlens.drawing.layout import TABLE_WRITERS
from agentlens.drawing.render import check_output, render
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import SILENT_STAGES, Progress, StageReporter, silent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.map_run import prepare_maps
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording
from agentlens.workflows.making_maps import check_method, explain_aloud
from agentlens.workflows.naming import RECORDINGS, fresh_path
from agentlens.workflows.objects import make_sure_of_boxes

Stages = Callable[[str, str], AbstractContextManager[Progress]]


@dataclass(frozen=True, kw_only=True)
class VideoResult:
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
    play: Play = Play(),
    method: str | SaliencyMethod = "perturbation",
    compute: Compute = Compute(),
    draw: Draw = Draw(),
    force: bool = False,
    reporter: StageReporter = SILENT_STAGES,
) -> VideoResult:
    """Play one game, explain every decision and draw the video.

    For a part of a game, take the three stages one by one: ``record``, ``explain``, ``render``.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        output: the video; a fresh name in the recording's folder if not given. Its suffix
            chooses the format.
        play, method, draw: the choices of the three stages.
        compute: device, threads, engine and memory.
        force: overwrite ``output``.
        reporter: follows the stages.

    Returns:
        The recording, in a fresh folder under ``recordings/``, its maps, and the path of the
        video.
    """
    check_output(Path(output or "video.mp4"), force or output is None)
    recording, map_set, _ = explained_game(
        agent, play=play, method=method, compute=compute, draw=draw, reporter=reporter
    )
    return draw_game(recording, map_set, output, draw=draw, force=force, reporter=reporter)


def explained_game(
    agent: Agent | Path | str,
    *,
    play: Play = Play(),
    method: str | SaliencyMethod = "perturbation",
    compute: Compute = Compute(),
    draw: Draw = Draw(),
    reporter: StageReporter = SILENT_STAGES,
) -> tuple[Recording, MapSet, SaliencyMethod]:
    """The first two stages of a video: one game in a fresh folder, and the maps of its decisions.

    The arguments are those of ``video``. Returned with them is the method as it was used.
    """
    check_game(play)
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    method = drawable(check_method(method, agent, compute), draw)
    folder = fresh_path(RECORDINGS, f"{agent.spec.name}-seed{play.seed}")
    with reporter.stage("recording", "steps") as progress:
        recording = record(
            agent,
            play=play,
            output=folder,
            compute=compute,
            progress=progress,
        )
    with reporter.stage("explaining", "steps") as progress:
        run = prepare_maps(recording, method, compute=compute, agent=agent)
        map_set = explain_aloud(run, progress=progress, say=reporter.say)
    return recording, map_set, method


def draw_game(
    recording: Recording,
    map_set: MapSet,
    output: Path | str | None = None,
    *,
    draw: Draw = Draw(),
    force: bool = False,
    reporter: StageReporter = SILENT_STAGES,
) -> VideoResult:
    """The last stage of a video; the arguments are those of ``video``."""
    if draw.boxes:
        with reporter.stage("finding objects", "steps") as progress:
            make_sure_of_boxes(recording, progress)
    name = recording.header.agent.name
    path = Path(output) if output else fresh_path(recording.folder, name, ".mp4")
    with reporter.stage("drawing", "frames") as progress:
        path = render(recording, map_set, path, draw=draw, force=force, progress=progress)
    return VideoResult(recording=recording, maps=map_set, path=path)


def check_game(play: Play) -> None:
    """Refuse to play several games where one is shown.

    Raises:
        InvalidArgument: more than one episode is asked for.
    """
    if play.episodes != 1:
        raise InvalidArgument(
            f"{play.episodes} episodes: a video shows one game; record several, then render each."
        )


def drawable(method: SaliencyMethod, draw: Draw) -> SaliencyMethod:
    """The method as the layout needs it: with a map for every plane where each is drawn.

    Raises:
        InvalidArgument: a chosen panel draws tables that no game has before it was played.
    """
    made = {"boxes"} if draw.boxes else set()
    late = [name for name in draw.panels if name in set(TABLE_WRITERS) - made]
    if late:
        raise InvalidArgument(
            f"panels {', '.join(late)}: a game that is yet to be played has nothing for them; "
            f"record it, run agentlens {TABLE_WRITERS[late[0]]}, then agentlens render."
        )
    if draw.layout != "stack" or getattr(method, "planes", "each") == "each":
        return method
    options: Any = method
    changed: SaliencyMethod = dataclasses.replace(options, planes="each")
    return changed
