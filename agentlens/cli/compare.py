"""agentlens compare: do two agents differ, how, and is it real?"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agentlens.cli._method import MethodFlags
from agentlens.cli._options import ComputeFlags
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location, Name, Whole

_NUMBERS = (
    "episodes",
    "states",
    "map_states",
    "moments",
    "video_steps",
    "word_steps",
    "layer_steps",
    "badge_states",
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Compare agents on the same seeds and on the same states, and write a report.

    Give two or more agents, checkpoints or recordings, in the order of training where there is
    one. The folder gets report.html (one file, works offline), report.json, tables, figures and
    side-by-side videos.

    Examples:
      agentlens compare pong-ppo pong-ppo-early --quick
      agentlens compare pong-ppo pong-ppo-early --episodes 10 --output reports/learning
      agentlens compare recordings/a recordings/b --output reports/ab
      agentlens compare --checkpoints 'runs/*.zip' --env PongNoFrameskip-v4 --output reports/run
    """

    agents: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[AGENT|RECORDING ...]")
    ] = ()
    """Names, agent folders, checkpoint files, training runs' folders or recording folders."""
    maps: MethodFlags
    compute: ComputeFlags
    checkpoints: Name = None
    """Pattern of more checkpoints, in the order of training as their names tell it."""
    order: Literal["steps", "names", "time"] = "steps"
    """Order of --checkpoints: step numbers in the names (best_model after them, the final file
    last), the names as they sort, or the time of writing."""
    quick: bool = False
    """A first look in about a minute: 3 games, 40 map states, 2,000 states, one still, no video,
    no badges."""
    episodes: Whole = None
    """Whole games of each agent that has no recording yet: 10."""
    seed: int = 0
    """Seed of those recordings; the same for every agent."""
    states: Whole = None
    """About so many states of each agent are shown to the others (whole games): 20,000; 0 for
    all."""
    map_states: Whole = None
    """States of each agent on which saliency maps are compared: 200; 0 for no maps."""
    moments: Whole = None
    """Stills of each kind, for each pair and side: 3."""
    video_steps: Whole = None
    """Decisions in each video: 240; 0 for no videos."""
    word_steps: Whole = None
    """States of the first agent on which all are described by the objects that they act for: none;
    300 take a few minutes. For games whose objects are known."""
    layer_steps: Whole = None
    """States of each agent on which the layers of two networks are compared: 200; 0 for none."""
    badge_states: Whole = None
    """States of each agent on which it is measured how far its maps can be believed, for the badges
    in the header: 40, about 10 seconds each; 0 for none."""
    own_scales: bool = False
    """Draw each agent's heat on its own scale instead of one for all."""
    seed_twin: Name = None
    """An agent that differs from the first by its training seed alone: how alike such two are."""
    env: Name = None
    """Environment id such as ALE/Pong-v5, for checkpoints."""
    format: Name = None
    """Format of checkpoints; found out if not given."""
    preset: Name = None
    """Preprocessing of checkpoints: sb3-atari, ale-vector, cleanrl-atari, envpool,
    baby-a3c, ale-v5."""
    trust_code: bool = False
    """Allow an import string (module:Class) to run its code."""
    output: Location = None
    """Folder of the report; reports/FIRST-and-LAST if not given."""
    force: bool = False
    """Replace an earlier report, and compare agents that play under different protocols."""


def run(options: Options) -> int:
    """Compare, then print the summary and where the report lies."""
    from agentlens.cli._agent import use_compute
    from agentlens.cli._console import ConsoleStages
    from agentlens.comparison.words import standing_notes, summary
    from agentlens.workflows.checkpoint_order import checkpoint_files
    from agentlens.workflows.compare import compare
    from agentlens.workflows.compare_plan import ComparisonPlan
    from agentlens.workflows.naming import REPORTS, fresh_path, pair_name
    from agentlens.workflows.participants import CheckpointOptions

    compute = use_compute(options.compute)
    base = ComparisonPlan.quick() if options.quick else ComparisonPlan()
    given = {name: getattr(options, name) for name in _NUMBERS}
    plan = replace(
        base,
        **{name: number for name, number in given.items() if number is not None},
        seed=options.seed,
        own_scales=options.own_scales,
        method=options.maps.configured(),
        seed_twin=options.seed_twin,
        checkpoints=CheckpointOptions(
            env=options.env,
            format=options.format,
            preset=options.preset,
            trust_code=options.trust_code,
        ),
    )
    checkpoints: tuple[str, ...] = ()
    if options.checkpoints:
        checkpoints = checkpoint_files(options.checkpoints, options.order)
        names = ", ".join(Path(file).name for file in checkpoints)
        print(f"checkpoints by {options.order}: {names}", file=sys.stderr)
    agents = [*options.agents, *checkpoints]
    output = options.output or fresh_path(REPORTS, pair_name(agents))
    comparison = compare(
        agents,
        output=output,
        plan=plan,
        compute=compute,
        force=options.force,
        progress=ConsoleStages(),
    )
    print(summary(comparison))
    for note in (*comparison.notes, *standing_notes(comparison)):
        print(f"note: {note}")
    print(f"report: {output / 'report.html'}")
    return 0


VERB = Verb(
    summary="say how agents differ, and whether it is real", options=Options, run=run, order=51
)
