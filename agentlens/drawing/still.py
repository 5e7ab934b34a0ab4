"""One step as a picture: the video's own page as png, or a figure for a paper as pdf or svg."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentlens.drawing.layout import arrange
from agentlens.drawing.scene import Film
from agentlens.drawing.sheet import published, write_png
from agentlens.drawing.video import refuse_existing
from agentlens.errors import MissingExtra, UnknownName
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording

SUFFIXES = (".png", ".pdf", ".svg")


def still(
    recording: Recording | Path | str,
    maps: MapSet | None,
    output: Path | str,
    *,
    step: int,
    episode: int = 0,
    scale: int = 3,
    layout: str = "full",
    targets: Sequence[str] | None = None,
    force: bool = False,
) -> Path:
    """Draw one step; returns the path of the file.

    The heat has the scale of all explained steps of the episode, as in the video.

    Args:
        recording: an open recording, or its folder.
        maps: its saliency maps, or None.
        output: png for the page as the video shows it; pdf or svg for a figure on white with
            text as text, which needs the extra ``plots``.
        step: number of the step.
        episode: index of the episode.
        scale: pixels of a native pixel (png).
        layout: "full", "compact" or "stack" (png).
        targets: names of the maps' targets to draw; see ``render``.
        force: overwrite an existing file.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        InvalidArgument: no such step or episode, or maps of another recording.
        MissingExtra: matplotlib is not installed.
        UnknownName: an unknown suffix, layout or target.
        DiskError: the disk is full, failing or read-only.
    """
    output = Path(output)
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES:
        raise UnknownName("figure suffix", suffix, SUFFIXES)
    refuse_existing(output, force)
    recording = open_recording(recording)
    whole = Film(recording, maps, episode=episode, targets=targets)
    frame = whole.steps.index(step) if step in whole.steps else -1
    film = (
        whole
        if frame >= 0
        else Film(recording, maps, steps=[step], episode=episode, targets=targets)
    )
    context = film.context(max(frame, 0))
    if suffix == ".png":
        page = arrange(film.scene, layout, scale=scale)
        write_png(page.draw(context), output, force=force)
        return output
    try:
        from agentlens.drawing.figure import draw_figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "plots", f"a {suffix} figure") from error
    with published(output, force) as finished:
        draw_figure(context, finished)
    return output
