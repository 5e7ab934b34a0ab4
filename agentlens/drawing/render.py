"""A recording and its maps, drawn: as a video, an animation or a contact sheet."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

from agentlens.drawing.layout import LAYOUTS, Layout, arrange
from agentlens.drawing.scale import Scale
from agentlens.drawing.scene import Film
from agentlens.drawing.sheet import write_sheet
from agentlens.drawing.video import (
    EMULATOR_FRAMES_PER_SECOND,
    VideoWriter,
    encoding_of,
    refuse_existing,
)
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.progress import Progress, silent
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording

_PICTURES_WAITING = 4
"""One picture is encoded while the next ones are drawn: so many may wait."""


def render(
    recording: Recording | Path | str,
    maps: MapSet | None,
    output: Path | str,
    *,
    steps: slice | Sequence[int] | None = None,
    episode: int = 0,
    fps: float | None = None,
    scale: int = 3,
    layout: str = "full",
    panels: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    scales: Mapping[str, Scale] | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Path:
    """Draw the steps of an episode.

    Args:
        recording: an open recording, or its folder.
        maps: its saliency maps, or None for the game, the actions and the curves alone.
        output: file to write. Its suffix chooses mp4, webm, gif, webp, or png for a contact
            sheet of twelve steps.
        steps: slice or list of step numbers; None for the explained steps, or all without maps.
        episode: index of the episode.
        fps: decisions shown a second; None for real time, each decision as long as it took at 60
            emulator frames a second.
        scale: pixels of a native pixel, 1 to 8.
        layout: "full", "compact" or "stack".
        panels: names of panels to show in rows instead of a layout.
        targets: names of the maps' targets to draw, in this order; None for one of the choice of
            action and one of the critic. "compact" and "stack" have room for the first alone.
        scales: display scales by target (``scale.shared_scales``), for a pair of videos.
        force: overwrite an existing file.
        progress: called with pictures done and to do.

    Returns:
        The path of the file.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        InvalidArgument: steps, episode, fps or scale out of range, or maps of another recording.
        UnknownName: an unknown suffix, layout, panel or target.
        DiskError: the disk is full, failing or read-only.
        RenderError: the video could not be encoded.

    Notes:
        Memory does not depend on the number of steps.
    """
    output = Path(output)
    check_drawing(output, fps=fps, scale=scale, layout=layout, force=force)
    recording = open_recording(recording)
    film = Film(recording, maps, steps=steps, episode=episode, targets=targets, scales=scales)
    page = arrange(film.scene, layout, scale=scale, panels=panels)
    if output.suffix.lower() == ".png":
        write_sheet(film, page, output, force=force, progress=progress)
    else:
        _write_video(film, page, output, fps, force, progress)
    return output


def check_drawing(output: Path, *, fps: float | None, scale: int, layout: str, force: bool) -> None:
    """Refuse what ``render`` would refuse whatever the recording: before hours of work, say.

    Raises:
        AlreadyExists, InvalidArgument, UnknownName, RenderError: as ``render``.
    """
    if fps is not None and not 0.1 <= fps <= 240:
        raise InvalidArgument(f"fps {fps}: expected 0.1 to 240, or none for real time.")
    if not 1 <= scale <= 8:
        raise InvalidArgument(f"scale {scale}: expected 1 to 8.")
    if layout not in LAYOUTS:
        raise UnknownName("layout", layout, LAYOUTS)
    if output.suffix.lower() != ".png":
        encoding_of(output)
    refuse_existing(output, force)


def ticks_per_second(fps: float | None) -> Fraction:
    """The unit of a video's time: one decision at ``fps``, one emulator frame in real time."""
    if fps is None:
        return Fraction(EMULATOR_FRAMES_PER_SECOND)
    return Fraction(fps).limit_denominator(1000)


def _write_video(
    film: Film, page: Layout, output: Path, fps: float | None, force: bool, progress: Progress
) -> None:
    with (
        VideoWriter(output, ticks_per_second=ticks_per_second(fps), force=force) as video,
        ThreadPoolExecutor(max_workers=1) as encoder,
    ):
        waiting: deque[Future[None]] = deque()
        pages = itertools.cycle([page.blank() for _ in range(_PICTURES_WAITING + 1)])
        for context in film.contexts():
            if len(waiting) == _PICTURES_WAITING:  # so the next page is encoded and free again
                waiting.popleft().result()
            picture = page.draw(context, next(pages))
            ticks = 1 if fps is not None else film.ticks(context.frame)
            waiting.append(encoder.submit(video.write, picture, ticks))
            progress(context.frame + 1, len(film))
        for write in waiting:
            write.result()
