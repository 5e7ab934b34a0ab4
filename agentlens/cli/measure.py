"""agentlens measure: how far a method's maps of a recording can be believed."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import progress, table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.measure_plan import MeasurePlan
from agentlens.workflows.options import Location


@dataclass(frozen=True, kw_only=True)
class Options:
    """Measure saliency methods on states of a recording, beside controls.

    Controls are a random map, the input's agent-free energy, an edge detector, and the method on
    a policy whose weights were drawn anew: a method is worth what it has over them.

    Example: agentlens measure recordings/pong --method perturbation greydanus

    Example: agentlens measure recordings/pong --maps recordings/pong/maps/perturbation
    """

    source: RecordingChoice
    method: tuple[str, ...] = ("perturbation",)
    """Saliency methods; `agentlens methods` lists them."""
    plan: MeasurePlan
    maps: Location = None
    """Folder of maps that the first method made: its badges are stored there and shown from then
    on."""
    compute: DeviceFlags
    output: Location = None
    """Where a number for each row, metric and state goes (.parquet and .csv)."""


def run(options: Options) -> int:
    """Measure, print the table and the badges."""
    from agentlens.cli._agent import use_compute
    from agentlens.metrics import METRICS
    from agentlens.workflows.measure import measure

    compute = use_compute(options.compute)
    with progress("measuring", "metrics") as report:
        result = measure(
            options.source.open(),
            options.method,
            options.plan,
            compute=compute,
            output=options.output,
            maps=options.maps,
            progress=report,
        )
    print(f"states: {len(result.steps)}, intervals over {result.units}")
    rows = []
    for metric in result.metrics:
        cells = [
            _cell(result.figure(row, metric), full=row in result.methods) for row in result.rows
        ]
        rows.append((metric, result.better[metric], *cells))
    table(("metric", "better", *result.rows), rows)
    for metric in result.metrics:
        print(f"{metric}: {METRICS.load(metric).summary}")
    for method in result.methods:
        print(f"badges of {method}: {result.badges(method)}")
    if options.output is not None:
        print(f"table: {options.output}.parquet, {options.output}.csv")
    return 0


def _cell(figure: object, *, full: bool) -> str:
    from agentlens.badges import Figure

    assert isinstance(figure, Figure)
    if figure.estimate != figure.estimate:
        return "-"
    between = (
        f" ({figure.low:.2f} to {figure.high:.2f})" if full and figure.low == figure.low else ""
    )
    return f"{figure.estimate:.3f}{between}"


VERB = Verb(summary="measure how far maps can be believed", options=Options, run=run, order=56)
