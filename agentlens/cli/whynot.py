"""agentlens whynot: why the agent did not take another action at a step."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import tyro

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingFolder
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Say why an agent took one action at a step and not another.

    The odds of both, and the places of the screen that speak for each: hidden one by one, with
    what the policy wants then.

    Example: agentlens whynot recordings/pong LEFT --step 300 --figure why.png
    """

    recording: RecordingFolder
    """Folder of a recording."""
    other: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ACTION")]
    """The action it did not take, such as LEFT."""
    step: int
    """Step of the episode."""
    episode: int = 0
    """Episode."""
    figure: Location = None
    """Picture of the step with the contrast map (.png, or .pdf and .svg with the extra plots)."""
    json: Location = None
    """The answer as JSON."""
    force: bool = False
    """Overwrite the picture."""
    compute: DeviceFlags
    trust_code: bool = False
    """Allow code that the recording's agent or world names (module:Class) to run."""


def run(options: Options) -> int:
    """Answer, print the places and the sentence, draw."""
    from agentlens.cli._agent import use_compute
    from agentlens.drawing.still import still
    from agentlens.store.recording import open_recording
    from agentlens.workflows.whynot import whynot

    compute = use_compute(options.compute)
    recording = open_recording(options.recording, trust_code=options.trust_code)
    answer = whynot(
        recording,
        options.other,
        step=options.step,
        episode=options.episode,
        compute=compute,
    )
    rows = [
        (
            name,
            f"{place.row:.0f}, {place.column:.0f}",
            f"{place.effect:+.2f}",
            f"{place.odds_hidden[0]:.2f}, {place.odds_hidden[1]:.2f}",
        )
        for name, places in ((answer.taken, answer.pro), (answer.other, answer.contra))
        for place in places
    ]
    hidden = f"{answer.taken}, {answer.other} with it hidden ({answer.unit})"
    table(("speaks for", "row, column", "effect on the margin", hidden), rows)
    print(answer.sentence)
    print(f"maps: {answer.maps.folder}")
    if options.json is not None:
        options.json.write_text(json.dumps(answer.as_json(), indent=1) + "\n", encoding="utf-8")
        print(f"json: {options.json}")
    if options.figure is not None:
        path = still(
            recording,
            answer.maps,
            options.figure,
            step=options.step,
            episode=options.episode,
            force=options.force,
        )
        print(f"figure: {path}")
    return 0


VERB = Verb(summary="why the agent did not take another action", options=Options, run=run, order=52)
