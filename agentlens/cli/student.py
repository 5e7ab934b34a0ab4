"""agentlens student: distil an agent into a small network that can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentlens.cli._console import ConsoleStages, table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location

if TYPE_CHECKING:
    from agentlens.workflows.student import PairedReturns


@dataclass(frozen=True, kw_only=True)
class Options:
    """Learn a student that imitates an agent, and tell how well, and how readable its units are.

    lwta: units compete in blocks, one speaks. cam: features are averaged over places, so that
    class activation maps are exact. Beside it learns the same network with plain rectifiers.
    Learned on the first four fifths of the recording's steps; figures are of the rest, and with
    --games of whole games that teacher and student play under the same seeds.

    Example: agentlens student recordings/pong-ppo --kind lwta --block 4 --games 8
    """

    source: RecordingChoice
    compute: DeviceFlags
    kind: Literal["lwta", "relu", "cam"] = "lwta"
    """Which student."""
    block: int = 4
    """lwta: units of a block, 2, 4, 8 or 16."""
    updates: int = 500
    """Steps of learning."""
    batch: int = 128
    """Observations in each."""
    games: int = 0
    """Whole games to play with teacher and student."""
    output: Location = None
    """Table and artefact to write, without a suffix; student-KIND in the recording's folder if
    not given."""
    force: bool = False
    """Replace a student that is there already."""


def run(options: Options) -> int:
    """Print how well the students imitate and what their units stand for."""
    from agentlens.cli._agent import use_compute
    from agentlens.network.students import StudentPlan
    from agentlens.workflows.student import teach_student

    plan = StudentPlan(
        kind=options.kind, block=options.block, updates=options.updates, batch=options.batch
    )
    result = teach_student(
        options.source.open(),
        plan,
        games=options.games,
        compute=use_compute(options.compute),
        output=options.output,
        force=options.force,
        progress=ConsoleStages(),
    )
    rows = [
        (
            fit.kind,
            f"{fit.kl:.4f}",
            f"{fit.agreement:.0%}",
            f"{fit.active:.4f}",
            f"{fit.purity:.3f}",
            f"{fit.named:.0%}",
        )
        for fit in (result.student, result.dense)
        if fit is not None
    ]
    rows.append(("none (the mean policy)", f"{result.constant_kl:.4f}", *"----"))
    table(("student", "KL", "same greedy action", "units active", "purity", "named"), rows)
    print(f"learned on {result.learned} steps, figures of the {result.held} after them")
    if result.returns is not None:
        _print_returns(result.returns)
    print(f"table: {result.path}.parquet and .csv; artefact: {result.path}")
    return 0


def _print_returns(returns: PairedReturns) -> None:
    rows = [
        (name, f"{part.estimate:+.1f}", f"{part.low:+.1f} to {part.high:+.1f}")
        for name, part in (
            ("teacher", returns.teacher),
            ("student", returns.student),
            ("difference, paired", returns.difference),
        )
    ]
    print()
    table(("return", f"mean of {returns.teacher.units} games", "95 % interval"), rows)
    inside = "lies in" if returns.within else "does NOT lie in"
    print(f"the student's mean return {inside} the teacher's interval")


VERB = Verb(summary="distil an agent into one that can be read", options=Options, run=run, order=49)
