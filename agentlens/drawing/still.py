"""One step as a picture: the video's own page as png, or a figure for a paper as pdf or svg."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from agentlens.drawing.draw import Draw
from agentlens.drawing.files import DrawnFile, published, refuse_existing
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.drawing.scale import fixed_scales
from agentlens.drawing.sheet import write_png
from agentlens.errors import InvalidArgument, MissingExtra, UnknownName
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording

FIGURES = (".pdf", ".svg")
SUFFIXES = (".png", *FIGURES)


def still(
    recording: Recording | Path | str,
    maps: MapSet | None,
    output: Path | str,
    *,
    step: int,
    episode: int = 0,
    draw: Draw = Draw(),
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
        draw: targets to draw; for a png, layout or panels, theme and scale; for a figure, its
            width.
        force: overwrite an existing file.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        InvalidArgument: no such step or episode, maps of another recording, or boxes in a pdf or
            svg.
        MissingExtra: matplotlib is not installed.
        UnknownName: an unknown suffix, panel or target.
        DiskError: the disk is full, failing or read-only.
    """
    output = Path(output)
    suffix = output.suffix.lower()
    _check_suffix(suffix, draw)
    refuse_existing(output, force)
    recording = open_recording(recording)
    film = partial(
        Film,
        recording,
        maps,
        episode=episode,
        targets=draw.heats or None,
        scales=fixed_scales(maps, draw.limits),
        theme=draw.theme if suffix == ".png" else "print",
    )
    whole = film()
    inside = step in whole.steps
    context = whole.context(whole.steps.index(step)) if inside else film(steps=[step]).context(0)
    if suffix == ".png":
        write_png(arrange(context.scene, draw).draw(context), output, force=force)
        return DrawnFile(output)
    try:
        from agentlens.drawing.figure import draw_figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "plots", f"a {suffix} figure") from error
    with published(output, force) as finished:
        draw_figure(context, finished, draw.width_cm)
    return DrawnFile(output)


def _check_suffix(suffix: str, draw: Draw) -> None:
    if suffix not in SUFFIXES:
        raise UnknownName("figure suffix", suffix, SUFFIXES)
    if draw.boxes and suffix != ".png":
        raise InvalidArgument(f"boxes: a {suffix} figure draws none; choose png.")
