"""agentlens bench: saliency methods and attention where what decides is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from agentlens.cli._console import progress, table
from agentlens.cli._options import ComputeFlags
from agentlens.cli._verb import Verb
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import Location

if TYPE_CHECKING:
    from agentlens.workflows.bench import BenchResult, CauseScore

EMPTY = 0.005
"""Share of the cue's mass below which the deciding screen's maps are called empty."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Score saliency methods where what decides is known: does the map find it?

    causes: an agent whose weights follow from the world's glyphs plays a mosaic in which one cell
    says which action is right. Beside each method stands its score on a policy whose weights were
    drawn anew, which must fall to chance.

    hint: a small network is cloned from a recorded agent with a patch on the picture that gives
    the right action away. Taking the patch away costs it the game; maps must show the patch.

    focus: attention models are trained on answers alone, on points and on mosaics, and counted:
    right or wrong, looking at what decides or elsewhere. No saliency method plays a part.

    Example: agentlens bench causes --method perturbation gradient --world Mosaic25-v0

    Example: agentlens bench hint --recording recordings/pong
    """

    bench: Annotated[
        tyro.conf.Positional[Literal["causes", "hint", "focus"]], tyro.conf.arg(metavar="BENCH")
    ]
    """Which bench: causes, hint or focus."""
    method: tuple[str, ...] = ()
    """Saliency methods; some common ones if not given."""
    world: str = "Mosaic16-v0"
    """World of causes: Mosaic9-v0, Mosaic16-v0, Mosaic25-v0, Mosaic16Delay2-v0 with the cue two
    frames back, Mosaic16Memory-v0 with a cue that memory alone carries, or Mosaic16Cheat-v0 with a
    corner that gives the answer away."""
    agent: Location = None
    """Folder of an agent that plays such a world, for causes: it is scored instead of the one whose
    weights follow from the glyphs."""
    recording: Location = None
    """Recording of the agent that hint clones."""
    states: int = 40
    """States explained by causes; frames by hint."""
    games: int = 4
    """Games that each clone of hint plays for its return."""
    seeds: int = 3
    """Seeds of focus."""
    compute: ComputeFlags


def run(options: Options) -> int:
    """Score and print the table."""
    {"causes": _causes, "hint": _hint, "focus": _focus}[options.bench](options)
    return 0


def _causes(options: Options) -> None:
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.bench import METHODS, bench_causes

    compute = use_compute(options.compute)
    with progress("scoring", "methods") as report:
        result = bench_causes(
            options.method or METHODS,
            world=options.world,
            agent=options.agent,
            states=options.states,
            compute=compute,
            progress=report,
        )
    sigma = (result.chance * (1 - result.chance) / result.states) ** 0.5
    print(f"world: {result.world}, {result.states} states")
    print(f"chance: cell accuracy {result.chance:.3f}, two sigma {2 * sigma:.3f}")
    if result.later:
        print(
            f"maps are of the screen with the cue, for the decision {result.later} later that "
            "memory carries it to"
        )
    rows = [
        (
            score.method,
            f"{score.cell_accuracy:.2f}",
            f"{score.mass_share:.2f}",
            f"{score.area:.2f}",
            f"{score.cover:.2f}",
            str(score.focus),
            f"{score.forgotten:.2f}",
            _last_column(result, score),
        )
        for score in result.scores
    ]
    headings = ("method", "cell accuracy", "mass share", "AUC", "cover", "FTPT/FFPT/FTPF/FFPF")
    last = "at the decision" if result.later else "right plane"
    table((*headings, "re-initialised", last), rows)
    print("cover: share of the cause's cell within the strongest tenth of the map")
    print("F focus on the cause's cell, P right action; T true, F false")
    if result.later:
        print(
            "at the decision: mass of the deciding screen's maps over that of the cue's; the cause "
            "is not on that screen, so right is an empty map, which cannot tell where it was"
        )


def _last_column(result: BenchResult, score: CauseScore) -> str:
    """What the deciding screens' maps hold where memory decides; elsewhere the plane found."""
    if not result.later:
        return "" if math.isnan(score.plane_accuracy) else f"{score.plane_accuracy:.2f}"
    if math.isnan(score.at_decision):
        return "no map anywhere"
    empty = score.at_decision < EMPTY
    return f"{score.at_decision:.2f}, empty: cannot tell" if empty else f"{score.at_decision:.2f}"


def _hint(options: Options) -> None:
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.bench_hint import METHODS, HintPlan, bench_hint

    if options.recording is None:
        raise InvalidArgument("hint clones a recorded agent: name its --recording.")
    plan = HintPlan(frames=options.states, games=options.games)
    with progress("cloning and scoring", "parts") as report:
        result = bench_hint(
            Path(options.recording),
            options.method or METHODS,
            plan,
            compute=use_compute(options.compute),
            progress=report,
        )
    rows = []
    for name, share in result.agreement.items():
        interval = result.returns.get(name)
        gained = "" if interval is None else f"{interval.estimate:+.1f}"
        between = "" if interval is None else f"{interval.low:+.1f} to {interval.high:+.1f}"
        rows.append((name, f"{share:.2f}", gained, between))
    print(f"clones of {result.agent}; {options.games} whole games each")
    table(("clone", "does what its teacher prefers", "return", "95 %"), rows)
    print(f"taking the hint away is decisive in {result.decisive} of {result.frames} frames")
    shares = [(s.method, f"{s.near:.2f}", f"{s.control:.2f}") for s in result.scores]
    table(("method", "peak within 5 px of the hint", "same of the clone without"), shares)


def _focus(options: Options) -> None:
    from agentlens.workflows.bench_attention import PLANS, bench_attention
    from agentlens.workflows.bench_focus import MODES, bench_focus

    seeds = range(options.seeds)
    runs: list[tuple[str, Callable[[int], object]]] = [
        *((f"points, error mode {mode}", partial(bench_focus, mode)) for mode in MODES),
        *((f"mosaic, {plan.name}", partial(bench_attention, plan)) for plan in PLANS),
    ]
    rows = []
    with progress("training", "kinds of models") as report:
        for done, (name, run_seed) in enumerate(runs):
            rows.append((name, *(str(run_seed(seed)) for seed in seeds)))
            report(done + 1, len(runs))
    table(("attention model", *(f"seed {seed}" for seed in seeds)), rows)
    print("FTPT/FFPT/FTPF/FFPF: F focus on what decides, P right answer; T true, F false")


VERB = Verb(summary="score methods where what decides is known", options=Options, run=run, order=57)
