"""agentlens explain: saliency maps for the steps of a recording."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from agentlens.cli._console import progress
from agentlens.cli._method import MethodFlags
from agentlens.cli._options import ComputeFlags, RecordingChoice, Span
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location, Whole


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compute actor and critic saliency maps, with the agent-free control, for every step.

    Interrupted work goes on where it stopped when the same command is given again.

    Example: agentlens explain recordings/pong --steps 100:400 --planes each
    """

    source: RecordingChoice
    maps: MethodFlags
    span: Span
    compute: ComputeFlags
    episode: Whole = None
    """Only this episode; all if not given, but the first with --around."""
    output: Location = None
    """Folder of the maps; RECORDING/maps/METHOD if not given, with the options that differ from the
    method's defaults."""
    force: bool = False
    """Replace maps made with other settings."""


def run(options: Options) -> int:
    """Estimate, explain, print where the maps lie."""
    from agentlens.cli._agent import use_compute
    from agentlens.saliency.map_run import prepare_maps
    from agentlens.workflows.making_maps import completeness_lines, explain_aloud

    compute = use_compute(options.compute)
    recording = options.source.open()
    episode = 0 if options.episode is None and options.span.around else options.episode
    steps = options.span.chosen(recording, episode or 0)
    with progress("explaining", "steps") as report:
        run = prepare_maps(
            recording,
            options.maps.configured(),
            steps=steps if episode is None else {episode: steps or slice(None)},
            compute=compute,
            output=options.output,
        )
        maps = explain_aloud(
            run,
            force=options.force,
            progress=report,
            say=lambda line: print(line, file=sys.stderr),
        )
    print(
        f"maps: {len(maps.steps)} steps, {', '.join(maps.targets)}; planes {', '.join(maps.planes)}"
    )
    for line in completeness_lines(maps):
        print(line)
    print(f"maps: {maps.folder}")
    return 0


VERB = Verb(summary="compute saliency maps for a recording", options=Options, run=run, order=40)
