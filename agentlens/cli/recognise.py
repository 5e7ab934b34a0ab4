"""agentlens recognise: how well a layer knows where each object is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """Read the place of every object from a layer with a linear probe, beside two controls.

    The controls are the same network untrained and the places of other steps; what the probe has
    over both is its selectivity. Before losses: how surely a larger error tells the 20 steps
    before a lost point or life from the others; 0.5 is chance.

    Example: agentlens recognise recordings/pong-ppo
    """

    source: RecordingChoice
    compute: DeviceFlags
    place: str = ""
    """Layer such as torso.7 (agentlens network lists them); the last before the heads if not
    given."""
    corrupt: str = ""
    """Object, such as ball, to take out of sight in random windows, as a check: it should come out
    worst in them."""
    seed: int = 0
    """Seed of the windows."""


def run(options: Options) -> int:
    """Print a line an object."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.recognise import recognise

    result = recognise(
        options.source.open(),
        place=options.place,
        corrupt=options.corrupt,
        seed=options.seed,
        compute=use_compute(options.compute),
    )
    rows = [
        (
            row.name,
            *(f"{v:.2f}" for v in (row.fit, row.twin, row.rolled, row.selectivity)),
            *("-" if math.isnan(v) else f"{v:.2f}" for v in (row.failure, row.twin_failure)),
            str(row.steps),
        )
        for row in result.objects
    ]
    failing = f"{result.corrupted} corrupted" if result.corrupted else "before losses"
    heads = (
        "object",
        "R^2",
        "untrained",
        "other steps",
        "selectivity",
        failing,
        "untrained",
        "steps",
    )
    table(heads, rows)
    print(f"{result.place}, {result.steps} steps, {result.windows} windows: {failing}")
    return 0


VERB = Verb(summary="how well a layer knows where objects are", options=Options, run=run, order=49)
