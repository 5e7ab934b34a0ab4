"""agentlens objects: where the objects of a recording are."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress, table
from agentlens.cli._options import RecordingFolder
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location, Whole


@dataclass(frozen=True, kw_only=True)
class Options:
    """Find the objects of every step, from RAM and pixels, and write their boxes as a table.

    Games without object facts go by colour: connected regions that differ from the background.

    Example: agentlens objects recordings/pong-ppo
    """

    recording: RecordingFolder
    """Folder of a recording."""
    episode: Whole = None
    """Which episode; all if not given."""
    output: Location = None
    """Table to write, without a suffix; `objects` in the recording's folder if not given."""


def run(options: Options) -> int:
    """Print one line an object and the paths."""
    from agentlens.workflows.objects import objects

    episodes = None if options.episode is None else [options.episode]
    with progress("finding", "steps") as report:
        written = objects(
            options.recording, episodes=episodes, output=options.output, progress=report
        )
    print(f"objects by {written.by}, {written.steps} steps")
    rows = []
    for summary in written.objects:
        check = summary.check
        agrees = "-" if check is None else f"{check.share:.1%} of {check.count}"
        shares = f"{summary.present:.0%}", f"{summary.drawn:.0%}"
        rows.append((summary.name, summary.group, *shares, agrees))
    table(("object", "group", "in game", "drawn", "RAM box within 1 px"), rows)
    print(f"table: {written.path}.parquet and .csv")
    return 0


VERB = Verb(summary="find the objects of a recording", options=Options, run=run, order=46)
