"""agentlens intervene: hide a region or hold RAM, play on, and compare with untouched play."""

from __future__ import annotations

import json
from dataclasses import dataclass

from agentlens.cli._console import progress, table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hide a region in play, or hold emulator RAM, and tell whether the agent's play depends on it.

    The game is replayed bit for bit to the step; from there the agent plays on twice under the
    same chances, untouched and changed, and a third time with a random region of the same size
    hidden. Named places of a game: see `agentlens/envs/atari/regions`.

    Example: agentlens intervene recordings/pong --hide court own-paddle --repeats 20

    Example: agentlens intervene recordings/pong --hide-map perturbation --from 400 --for 60

    Example: agentlens intervene recordings/pong --hide court --from 400 --for 90 --video court.mp4

    Example: agentlens intervene recordings/pong --ram opponent=freeze
    """

    source: RecordingChoice
    intervention: Intervention
    play: PlayOn
    video: Location = None
    """Draw the first pair into this file (mp4, webm, gif, webp): untouched beside each change, what
    is hidden outlined."""
    force: bool = False
    """Overwrite the video."""
    compute: DeviceFlags
    output: Location = None
    """Where the table of decisions goes (.parquet and .csv) with the figures (.json)."""


def run(options: Options) -> int:
    """Play, print the table and the verdict."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.intervene import intervene
    from agentlens.workflows.intervene_video import check_video, intervention_video

    if options.video is not None:
        check_video(options.intervention, options.video, force=options.force)
    compute, recording = use_compute(options.compute), options.source.open()
    with progress("playing", "games") as report:
        result = intervene(
            recording,
            options.intervention,
            options.play,
            compute=compute,
            output=options.output,
            progress=report,
        )
    _print(result)
    if options.output is not None:
        path = options.output.with_name(f"{options.output.name}.json")
        path.write_text(json.dumps(result.summary(), indent=1) + "\n", encoding="utf-8")
        print(f"table: {options.output}.parquet, {options.output}.csv, {path}")
    if options.video is not None:
        with progress("drawing", "pictures") as report:
            path = intervention_video(
                recording,
                result,
                options.video,
                compute=compute,
                force=options.force,
                progress=report,
            )
        print(f"video: {path}")
    return 0


def _print(result: object) -> None:
    from agentlens.workflows.intervene_options import UNTOUCHED
    from agentlens.workflows.intervene_result import InterventionResult

    assert isinstance(result, InterventionResult)
    unit = "games" if result.play.whole_games else "continuations"
    print(f"agent: {result.agent.name}; what is hidden is filled with {result.intervention.fill}")
    print(f"{unit}: {result.play.repeats} pairs, {result.distinct} distinct untouched")
    rows = []
    for arm in result.arms:
        gap = "" if arm == UNTOUCHED else _text(result.difference(arm))
        changes = [result.effect(name, arm) for name in ("kl", "total_variation", "flip")]
        rows.append((arm, _text(result.return_interval(arm)), gap, *map(_text, changes)))
    table(("arm", "return", "difference", "KL, nats", "total variation", "flips"), rows)
    for change in result.intervention.changes:
        print(result.verdict(change))


def _text(interval: object) -> str:
    from agentlens.comparison.statistics import Interval

    if not isinstance(interval, Interval):
        return ""
    digits = 1 if abs(interval.estimate) >= 3 else 3
    ends = f"{interval.low:.{digits}f} to {interval.high:.{digits}f}"
    between = "" if interval.units < 2 else f" ({ends})"
    return f"{interval.estimate:+.{digits}f}{between}"


VERB = Verb(
    summary="hide a region in play and tell what it costs", options=Options, run=run, order=55
)
