"""agentlens render: draw a recording and its maps as a video or a picture."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from agentlens.cli._console import progress
from agentlens.cli._options import RecordingFolder, Span
from agentlens.cli._verb import Verb
from agentlens.drawing.draw import Draw, MeanBy
from agentlens.workflows.options import Location, Whole

if TYPE_CHECKING:
    from agentlens.store.maps import MapSet
    from agentlens.store.recording import Recording


@dataclass(frozen=True, kw_only=True)
class Options:
    """Draw a video (mp4, webm), an animation (gif, webp) or a contact sheet (png), by suffix.

    With --step, draw that one step as a figure (png, pdf, svg). With --mean, draw the means of the
    maps: of each episode, by action, or of the half second up to each kind of moment (png).

    Examples:
      agentlens render recordings/pong --output pong.mp4
      agentlens render recordings/pong --around lost-point --seconds 10 --output lost.mp4
      agentlens render recordings/pong --step 120 --output step.pdf
      agentlens render recordings/pong --mean action --output mean.png
    """

    recording: RecordingFolder
    """Folder of a recording."""
    drawing: Draw
    span: Span
    maps: Location = None
    """Folder of a map set; the recording's only one if not given."""
    episode: int = 0
    """Which episode."""
    step: Whole = None
    """Draw only this step, as a figure."""
    mean: Annotated[
        MeanBy | None,
        tyro.conf.arg(metavar="{episode,action,moment}", help_behavior_hint=""),
    ] = None
    """Draw the mean maps of each group, with how many maps each is the mean of."""
    output: Location = None
    """File to write; its suffix chooses the format. A fresh name in the recording's folder if not
    given."""
    force: bool = False
    """Overwrite an existing file."""


def run(options: Options) -> int:
    """Render and print the path."""
    from agentlens.drawing.render import render
    from agentlens.drawing.still import still
    from agentlens.store.recording import open_recording
    from agentlens.workflows.making_maps import maps_of
    from agentlens.workflows.naming import fresh_path
    from agentlens.workflows.objects import make_sure_of_boxes

    recording = open_recording(options.recording)
    maps = maps_of(recording, options.maps)
    name = recording.header.agent.name
    if options.mean is not None:
        return draw_means(options, recording, maps)
    if options.drawing.boxes:
        with progress("finding objects", "steps") as report:
            make_sure_of_boxes(recording, report)
    if options.step is not None:
        output = options.output or fresh_path(
            recording.folder, f"{name}-step{options.step}", ".png"
        )
        path = still(
            recording,
            maps,
            output,
            step=options.step,
            episode=options.episode,
            draw=options.drawing,
            force=options.force,
        )
        print(f"figure: {path}")
        return 0
    steps = options.span.chosen(recording, options.episode)
    if steps is not None:
        say_unexplained(maps, steps, options.episode, len(recording.episodes[options.episode]))
    output = options.output or fresh_path(recording.folder, name, ".mp4")
    with progress("drawing", "frames") as report:
        path = render(
            recording,
            maps,
            output,
            steps=steps,
            episode=options.episode,
            draw=options.drawing,
            force=options.force,
            progress=report,
        )
    print(f"{'sheet' if path.suffix == '.png' else 'video'}: {path}")
    return 0


def draw_means(options: Options, recording: Recording, maps: MapSet | None) -> int:
    """Draw mean maps and print the path.

    Raises:
        InvalidArgument: there are no maps, or --step is given, too.
    """
    from agentlens.drawing.mean_picture import mean_picture
    from agentlens.errors import InvalidArgument
    from agentlens.workflows.naming import fresh_path

    if maps is None:
        raise InvalidArgument(
            f"{recording.folder} has no maps: agentlens explain {recording.folder} makes them."
        )
    if options.step is not None:
        raise InvalidArgument("--mean and --step: give one of them.")
    assert options.mean is not None, "the caller asks for means"
    stem = f"{recording.header.agent.name}-mean-{options.mean}"
    path = mean_picture(
        recording,
        maps,
        options.output or fresh_path(recording.folder, stem, ".png"),
        options.mean,
        episode=options.episode,
        steps=options.span.chosen(recording, options.episode),
        draw=options.drawing,
        force=options.force,
    )
    print(f"mean maps: {path}")
    return 0


def say_unexplained(maps: MapSet | None, steps: slice, episode: int, length: int) -> None:
    """Say how many of the drawn steps have no map, and how to get them."""
    if maps is None:
        return
    drawn = range(length)[steps]
    explained = set(maps.steps[maps.episodes == episode].tolist())
    missing = sum(step not in explained for step in drawn)
    if missing:
        print(
            f"{missing} of {len(drawn)} steps have no map: agentlens explain RECORDING "
            f"--steps {drawn.start}:{drawn.stop} makes them.",
            file=sys.stderr,
        )


VERB = Verb(summary="draw the video", options=Options, run=run, order=42)
