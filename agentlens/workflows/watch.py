"""Play and explain at once: a video that grows while the game is on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.drawing.layout import Layout, arrange
from agentlens.drawing.live import WARM_UP, Decision, LiveFilm
from agentlens.drawing.render import check_drawing, ticks_per_second
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND, VideoWriter
from agentlens.policies.agent import Agent, load_agent
from agentlens.progress import Progress, silent
from agentlens.rollout.interruption import Interruption
from agentlens.workflows.live_agent import LiveAgent
from agentlens.workflows.naming import VIDEOS, fresh_path
from agentlens.workflows.options import DrawOptions, MapOptions, PlayOptions

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
    play: PlayOptions = PlayOptions(),  # noqa: B008 (frozen)
    maps: MapOptions = MapOptions(),  # noqa: B008 (frozen)
    draw: DrawOptions = DrawOptions(),  # noqa: B008 (frozen)
    max_steps: int = 0,
    warm_up: int = WARM_UP,
    device: str = "auto",
    threads: int = 0,
    force: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda line: None,
) -> Watched:
    """Play one game, explain every decision as it is made and write the video as it comes.

    The game is that of ``record`` with the same seed. Nothing but the video is kept. The display
    scales follow the first ``warm_up`` maps and are fixed from then on; the header says so.
    While one thread plays and explains, another draws and encodes.

    Args:
        agent: an agent, or whatever ``load_agent`` takes.
        output: the video; a fresh name in ``videos/`` if not given. While it grows it lies beside
            that name as ``.partial``, in a form that players can read.
        play, maps, draw: as for ``video``.
        max_steps: decisions after which the game is cut; 0 for the whole game.
        warm_up: decisions that the display scales are taken from.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads of the maps; 0 for all cores but the one that draws.
        force: overwrite ``output``.
        progress: called with decisions done and to do (0 where nobody knows).
        say: called with a line for the user.

    Returns:
        What was written and how fast. Ctrl-C or SIGTERM end the game early: the video is finished
        and ``end`` names the signal.

    Raises:
        InvalidArgument: a reference that needs a whole recording (median, mean), or what
            ``record``, ``explain`` and ``render`` refuse.
        AlreadyExists, DiskError, RenderError: of the video, see ``VideoWriter``.
        NotFinite: of the outputs or the maps.
    """
    agent = agent if isinstance(agent, Agent) else load_agent(agent)
    path = Path(output) if output else fresh_path(VIDEOS, f"{agent.spec.name}-live", ".mp4")
    check_drawing(path, fps=draw.fps, scale=draw.scale, layout=draw.layout, force=force)
    live = LiveAgent(agent, play, maps, max_steps=max_steps, device=device, threads=threads)
    film = LiveFilm(live.recording, live.maps, warm_up=warm_up)
    return _play(live, film, path, draw, max_steps, force, progress, say)


def _play(
    live: LiveAgent,
    film: LiveFilm,
    path: Path,
    draw: DrawOptions,
    max_steps: int,
    force: bool,
    progress: Progress,
    say: Callable[[str], None],
) -> Watched:
    """Play and explain in this thread, draw and encode in another, until the end or a signal."""
    page = arrange(film.scene, draw.layout, scale=draw.scale)
    with Interruption() as interruption:
        with VideoWriter(path, ticks_per_second=ticks_per_second(draw.fps), force=force) as video:
            say(f"growing: {video.partial_path}")
            artist = _Artist(film, page, video, real_time=draw.fps is None)
            began = time.perf_counter()
            with artist:
                for decision in live.decisions():
                    artist.take(decision)
                    progress(live.steps, max_steps)
                    if interruption.requested:
                        break
        seconds = time.perf_counter() - began
    return Watched(
        path=path,
        steps=live.steps,
        end=interruption.requested or live.end,
        raw_return=live.raw_return,
        seconds=seconds,
        real_time=EMULATOR_FRAMES_PER_SECOND * live.steps / live.frames,
        stages={
            name: 1000 * spent / live.steps for name, spent in (live.spent | artist.spent).items()
        },
    )


def watched_lines(done: Watched) -> list[str]:
    """What ``agentlens watch`` prints at the end."""
    stages = ", ".join(f"{name} {ms:.0f}" for name, ms in done.stages.items())
    return [
        f"{done.steps} decisions in {done.seconds:.1f} s: {done.rate:.1f} a second, "
        f"{done.rate / done.real_time:.2f} times real time ({done.real_time:.1f} a second)",
        f"milliseconds a decision: {stages} (play and explain run beside draw and encode)",
        f"ended: {done.end}, raw return so far {done.raw_return:+g}",
    ]


class _Artist:
    """Draws and encodes decisions in a thread of its own; leaving it waits for the last one."""

    def __init__(
        self, film: LiveFilm, page: Layout, video: VideoWriter, *, real_time: bool
    ) -> None:
        self._film, self._page, self._video, self._real_time = film, page, video, real_time
        self._canvas: np.ndarray = page.blank()
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
