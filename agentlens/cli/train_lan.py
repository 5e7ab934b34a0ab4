"""agentlens train-lan: learn a network that makes an agent's masks at video speed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from agentlens.cli._console import progress, table
from agentlens.cli._options import DeviceFlags
from agentlens.cli._verb import Verb

if TYPE_CHECKING:
    from agentlens.saliency.optimise.training import TrainingRow

_TOLD_EVERY = 25
"""Updates between two lines of the learning curve on the screen."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Learn a mask network from recordings of one agent, and measure it on held-out steps.

    The folder then serves `agentlens explain RECORDING --method lan --network FOLDER`, for this
    agent alone. An interrupted run goes on with --resume.

    Example: agentlens train-lan recordings/pong-ppo --output masks/pong-ppo
    """

    recordings: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RECORDING ...")
    ]
    """Folders of recordings of one agent."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """Folder of the mask network."""
    compute: DeviceFlags
    planes: Literal["all", "newest", "each"] = "all"
    """One mask for the whole stack, for the newest frame alone, or one for each."""
    fill: str = "median"
    """What stands in the hidden part: see method lan."""
    kept: float = 0.95
    """Share of decisions that the masks are to keep."""
    teacher_frames: int = 480
    """Steps whose perturbation maps teach the network first; 0 for none."""
    updates: int = 100
    """Steps of learning with the masks' own loss."""
    batch: int = 32
    """Frames a step."""
    seed: int = 0
    """Of weights, batches and fills."""
    resume: bool = False
    """Go on with what an interrupted run left."""
    trust_code: bool = False
    """Allow code that the recordings' agent or world names (module:Class) to run."""


def run(options: Options) -> int:
    """Learn, print the figures and the verdict."""
    from agentlens.cli._agent import use_compute
    from agentlens.saliency.methods.lan import Lan
    from agentlens.saliency.optimise.training import TrainingPlan
    from agentlens.store.recording import open_recording
    from agentlens.workflows.train_masks import train_masks

    def learning(row: TrainingRow) -> None:
        if row.update % _TOLD_EVERY in (0, 1):
            print(f"update {row.update}: {_words(row)}", file=sys.stderr)

    compute = use_compute(options.compute)
    plan = TrainingPlan(
        teacher_frames=options.teacher_frames,
        updates=options.updates,
        batch=options.batch,
        seed=options.seed,
    )
    method = Lan(planes=options.planes, fill=options.fill, kept=options.kept, seed=options.seed)
    with progress("learning", "updates") as report:
        trained = train_masks(
            [open_recording(r, trust_code=options.trust_code) for r in options.recordings],
            options.output,
            method=method,
            plan=plan,
            compute=compute,
            resume=options.resume,
            progress=report,
            learning=learning,
        )
    last, gate = trained.last, trained.gate
    print(f"learned: {_words(last)}")
    rows = [(name, f"{row.kept:.1%}", f"{row.score:.3f}") for name, row in gate.rows.items()]
    table(("strongest tenth of", "decisions kept", "score"), rows)
    for check, holds in gate.checks.items():
        print(f"{'pass' if holds else 'FAIL'}: {check}")
    print(f"rank correlation {gate.rank:.2f}; {gate.speedup:.0f} times the perturbation engine")
    print(f"{gate.ghosts:.1%} of the mask is semi-transparent (.2 to .8)")
    print(f"gate {'passed' if gate.passed else 'FAILED'} on {gate.frames} held-out steps")
    print(f"mask network: {trained.folder}")
    return 0


def _words(row: TrainingRow) -> str:
    return f"loss {row.loss:.3f}, {row.area:.1%} of a frame stays, {row.kept:.1%} of decisions kept"


VERB = Verb(summary="learn masks at video speed for an agent", options=Options, run=run, order=44)
