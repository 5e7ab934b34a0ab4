"""A recording and its maps, drawn: as a video, an animation or a contact sheet."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

from agentlens.drawing.draw import Draw
from agentlens.drawing.encodings import encoding_of
from agentlens.drawing.files import DrawnFile, refuse_existing
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.drawing.scale import fixed_scales
from agentlens.drawing.sheet import write_sheet
from agentlens.drawing.still import FIGURES
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND, VideoWriter
from agentlens.errors import InvalidArgument
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
    draw: Draw = Draw(),
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
        draw: layout or panels, targets, scale, rate. "compact" and "stack" have room for the
            first target alone.
        force: overwrite an existing file.
        progress: called with pictures done and to do.

    Returns:
        The path of the file; in a notebook it shows itself.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        InvalidArgument: steps or episode out of range, or maps of another recording.
        UnknownName: an unknown suffix, panel or target.
        DiskError: the disk is full, failing or read-only.
        RenderError: the video could not be encoded.

    Notes:
        Memory does not depend on the number of steps.
    """
    output = Path(output)
    check_output(output, force)
    recording = open_recording(recording)
    film = Film(
        recording,
        maps,
        steps=steps,
        episode=episode,
        targets=draw.heats or None,
        scales=fixed_scales(maps, draw.limits),
        theme=draw.theme,
    )
    if output.suffix.lower() == ".png":
        write_sheet(film, draw, output, force=force, progress=progress)
    else:
        _write_video(film, draw, output, force, progress)
    return DrawnFile(output)


def check_output(output: Path, force: bool) -> None:
    """Refuse a file that ``render`` could not write: before hours of work, say.

    Raises:
        AlreadyExists, UnknownName, RenderError: as ``render``.
    """
    if output.suffix.lower() in FIGURES:
        raise InvalidArgument(
            f"{output}: a {output.suffix} holds one step; say which (--step N), or choose mp4, "
            "webm, gif, webp or png."
        )
    if output.suffix.lower() != ".png":
        encoding_of(output)
    refuse_existing(output, force)


def ticks_per_second(draw: Draw) -> Fraction:
    """The unit of a video's time: one decision at a given rate, one emulator frame in real
    time."""
    return Fraction(draw.fps or EMULATOR_FRAMES_PER_SECOND).limit_denominator(1000)


def _write_video(film: Film, draw: Draw, output: Path, force: bool, progress: Progress) -> None:
    page = arrange(film.scene, draw)
    with (
        VideoWriter(output, ticks_per_second=ticks_per_second(draw), force=force) as video,
        ThreadPoolExecutor(max_workers=1) as encoder,
    ):
        waiting: deque[Future[None]] = deque()
        pages = itertools.cycle([page.blank() for _ in range(_PICTURES_WAITING + 1)])
        for context in film.contexts():
            if len(waiting) == _PICTURES_WAITING:  # so the next page is encoded and free again
                waiting.popleft().result()
            picture = page.draw(context, next(pages))
            ticks = 1 if draw.fps else film.ticks(context.frame)
            waiting.append(encoder.submit(video.write, picture, ticks))
            progress(context.frame + 1, len(film))
        for write in waiting:
            write.result()
