"""agentlens bench: saliency methods on worlds whose cause is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from agentlens.cli._console import progress, table
from agentlens.cli._options import ComputeFlags
from agentlens.cli._verb import Verb


@dataclass(frozen=True, kw_only=True)
class Options:
    """Score saliency methods where what decides is known: does the map find it?

    An agent whose weights follow from the world's glyphs plays a mosaic in which one cell says
    which action is right. Beside each method stands its score on a policy whose weights were
    drawn anew, which must fall to chance.

    Example: agentlens bench causes --method perturbation gradient --world Mosaic25-v0
    """

    bench: Annotated[tyro.conf.Positional[Literal["causes"]], tyro.conf.arg(metavar="BENCH")]
    """Which bench; there is causes."""
    method: tuple[str, ...] = ()
    """Saliency methods; ten common ones if not given."""
    world: str = "Mosaic16-v0"
    """Mosaic9-v0, Mosaic16-v0, Mosaic25-v0, or Mosaic16Delay2-v0 with the cue two frames back."""
    states: int = 40
    """States explained."""
    compute: ComputeFlags


def run(options: Options) -> int:
    """Score and print the table."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.bench import METHODS, bench_causes

    compute = use_compute(options.compute)
    with progress("scoring", "methods") as report:
        result = bench_causes(
            options.method or METHODS,
            world=options.world,
            states=options.states,
            compute=compute,
            progress=report,
        )
    sigma = (result.chance * (1 - result.chance) / result.states) ** 0.5
    print(f"world: {result.world}, {result.states} states")
    print(f"chance: cell accuracy {result.chance:.3f}, two sigma {2 * sigma:.3f}")
    rows = [
        (
            score.method,
            f"{score.cell_accuracy:.2f}",
            f"{score.mass_share:.2f}",
            f"{score.area:.2f}",
            str(score.focus),
            f"{score.forgotten:.2f}",
            "" if score.plane_accuracy != score.plane_accuracy else f"{score.plane_accuracy:.2f}",
        )
        for score in result.scores
    ]
    headings = ("method", "cell accuracy", "mass share", "AUC", "FTPT/FFPT/FTPF/FFPF")
    table((*headings, "re-initialised", "right plane"), rows)
    print("F focus on the cause's cell, P right action; T true, F false")
    return 0


VERB = Verb(
    summary="score methods on worlds whose cause is known", options=Options, run=run, order=57
)
