"""agentlens dissect: which object or attribute each unit stands for, and what it does."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress, table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Match every unit of an agent with the objects of its game, beside an untrained twin.

    Spatial places are matched with object masks (IoU), vectors and memory with attributes (AUC).
    The excess is what a unit has over the same unit of an untrained network and over the masks of
    other steps; the score alone means little. KL: the policy's change with the unit silenced; KL
    carried: with the unit giving what it gives when the object is erased from the screens. "not:
    X": the unit is larger where X does not hold. A page shows the best units with the screens at
    which each is strongest.

    Example: agentlens dissect recordings/pong-ppo --places torso.5 torso.8
    """

    source: RecordingChoice
    compute: DeviceFlags
    places: tuple[str, ...] = ()
    """Names such as torso.5 (agentlens network lists them); the usual ones if not given."""
    best: int = 5
    """Units to print for each place; all are in the table."""
    output: Location = None
    """Table and page to write, without a suffix; `units` in the recording's folder if not
    given."""


def run(options: Options) -> int:
    """Print the best units of each place and where the table lies."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.dissect import dissect

    compute = use_compute(options.compute)
    with progress("dissecting", "places") as report:
        result = dissect(
            options.source.open(),
            places=options.places or None,
            compute=compute,
            output=options.output,
            progress=report,
        )
    rows = []
    for part in result.places:
        units = zip(part.matches, part.kl, part.carried, strict=True)
        order = sorted(units, key=lambda row: -row[0].excess)
        for match, kl, carried in order[: options.best]:
            name = f"{part.place.name}.unit.{match.unit}"
            scores = (f"{v:.2f}" for v in (match.score, match.twin, match.shuffled, match.excess))
            rows.append((name, match.stands_for, *scores, f"{kl:.4f}", f"{carried:.4f}"))
    heads = ("unit", "stands for", "score", "untrained", "other steps", "excess")
    table((*heads, "KL silenced", "KL carried"), rows)
    for part in result.places:
        if part.dead:
            print(f"{part.place.name}: {part.dead:.0%} of the units never change")
    print(f"{result.steps} steps; table: {result.path}.parquet and .csv; page: {result.path}.html")
    return 0


VERB = Verb(summary="say which object each unit stands for", options=Options, run=run, order=49)
