"""Play and explain at once: a video that grows while the game is on."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.drawing.draw import Draw
from agentlens.drawing.layout import arrange
from agentlens.drawing.live import Decision, LiveFilm
from agentlens.drawing.render import check_output, ticks_per_second
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND, VideoWriter
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import SILENT_STAGES, StageReporter
from agentlens.rollout.interruption import Interruption
from agentlens.rollout.play import Play
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.configure import configure
from agentlens.workflows.live_agent import LiveAgent
from agentlens.workflows.naming import VIDEOS, fresh_path
from agentlens.workflows.video import check_game, drawable

_WAITING = 4
"""Decisions that may wait to be drawn: more would only delay the picture."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What ``watch`` did.

    Attributes:
        path: the video.
        steps: decisions played, explained and drawn.
        end: "terminated", "truncated", "stuck", "max_steps", or the signal that stopped it.
        raw_return: of these steps.
        seconds: wall time from the first decision to the closed file.
        real_time: decisions a second at which the game runs as on a console.
        stages: wall milliseconds a decision of "play", "explain", "draw" and "encode"; the
            first two run beside the last two.
    """

    path: Path
    steps: int
    end: str
    raw_return: float
    seconds: float
    real_time: float
    stages: dict[str, float]

    @property
    def rate(self) -> float:
        """Decisions a second that were reached."""
        return self.steps / self.seconds


def watch(
    agent: Agent | Path | str,
    output: Path | str | None = None,
    *,
    play: Play = Play(),
    method: str | SaliencyMethod = "perturbation",
    compute: Compute = Compute(),
    draw: Draw = Draw(),
    force: bool = False,
    reporter: StageReporter = SILENT_STAGES,
) -> Watched:
    """Play one game, explain every decision as it is made and write the video as it comes.

    The game is that of ``record`` with the same seed. Nothing but the video is kept. The display
    scales follow the maps of the first decisions (four seconds) and are fixed from then on; the
    header says so. While one thread plays and explains, another draws and encodes.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        output: the video; a fresh name in ``videos/`` if not given. While it grows it lies beside
            that name in a hidden file, in a form that players can read; the reporter says which.
        play, method, draw: as for ``video``.
        compute: of the maps; 0 threads for all cores but the one that draws.
        force: overwrite ``output``.
        reporter: told of decisions done and to do (0 where nobody knows).

    Returns:
        What was written and how fast. Ctrl-C or SIGTERM end the game early: the video is finished
        and ``end`` names the signal.

    Raises:
        InvalidArgument: a reference that needs a whole recording (median, mean), boxes, or what
            ``record``, ``explain`` and ``render`` refuse.
        AlreadyExists, DiskError, RenderError: of the video, see ``VideoWriter``.
        NotFinite: of the outputs or the maps.
    """
    check_output(Path(output or "video.mp4"), force or output is None)
    check_game(play)
    _check_boxes(draw)
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    path = Path(output) if output else fresh_path(VIDEOS, f"{agent.spec.name}-live", ".mp4")
    with Interruption() as interruption:
        live = LiveAgent(agent, play, drawable(configure(method), draw), compute)
        film = LiveFilm(live.recording, live.maps, theme=draw.theme)
        with VideoWriter(path, ticks_per_second=ticks_per_second(draw), force=force) as video:
            reporter.say(f"growing: {video.partial_path}")
            began = time.perf_counter()
            with (
                _Artist(film, draw, video) as artist,
                reporter.stage("watching", "decisions") as progress,
            ):
                for decision in live.decisions():
                    artist.take(decision)
                    progress(live.steps, play.max_steps)
                    if interruption.requested:
                        break
        seconds = time.perf_counter() - began
    return _watched(live, artist, path, interruption.requested, seconds)


def _check_boxes(draw: Draw) -> None:
    if draw.boxes:
        raise InvalidArgument(
            "boxes: objects are looked for in recordings; leave them out, or use video or render."
        )


def _watched(live: LiveAgent, artist: _Artist, path: Path, stopped: str, seconds: float) -> Watched:
    spent = live.spent | artist.spent
    return Watched(
        path=path,
        steps=live.steps,
        end=stopped or live.end,
        raw_return=live.raw_return,
        seconds=seconds,
        real_time=EMULATOR_FRAMES_PER_SECOND * live.steps / live.frames,
        stages={name: 1000 * total / live.steps for name, total in spent.items()},
    )


class _Artist:
    """Draws and encodes decisions in a thread of its own; leaving it waits for the last one."""

    def __init__(self, film: LiveFilm, draw: Draw, video: VideoWriter) -> None:
        self._film, self._video, self._real_time = film, video, not draw.fps
        self._page = arrange(film.scene, draw)
        self._canvas: np.ndarray = self._page.blank()
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._waiting: deque[Future[None]] = deque()
        self.spent = {"draw": 0.0, "encode": 0.0}

    def __enter__(self) -> _Artist:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for future in self._waiting:
                future.result()

    def take(self, decision: Decision) -> None:
        """Have the next decision drawn; waits where too many are undrawn.

        Raises:
            RenderError, DiskError: of an earlier decision.
        """
        self._waiting.append(self._thread.submit(self._draw, decision))
        while len(self._waiting) > _WAITING or self._waiting[0].done():
            self._waiting.popleft().result()
            if not self._waiting:
                return

    def _draw(self, decision: Decision) -> None:
        began = time.perf_counter()
        picture = self._page.draw(self._film.context(decision), self._canvas)
        drawn = time.perf_counter()
        ticks = max(1, decision.row.frames_advanced) if self._real_time else 1
        self._video.write(picture, ticks)
        self.spent["draw"] += drawn - began
        self.spent["encode"] += time.perf_counter() - drawn
