"""agentlens describe: say in words what an agent did and for which objects."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from agentlens.cli._console import progress, table
from agentlens.cli._options import RecordingChoice, Span
from agentlens.cli._verb import Verb
from agentlens.workflows.options import Location, Whole


@dataclass(frozen=True, kw_only=True)
class Options:
    """Describe every step of a recording: attributes of objects, their effects, one sentence.

    An object is cited only if erasing it from the screen changes the policy more than 95 % of
    patches of its shape erased elsewhere at that step do. Shares are told of the steps at which
    the agent is decided, and of all: elsewhere little depends on what it does.

    Example: agentlens describe recordings/pong-ppo --steps 100:200
    """

    source: RecordingChoice
    span: Span
    episode: Whole = None
    """Which episode; all if not given."""
    lines: int = 5
    """Sentences to print, evenly spread."""
    no_shares: bool = False
    """Leave out the Shapley values, which take most of the time."""
    pairs: bool = False
    """Tell which attributes and objects work together, too (seconds)."""
    units: bool = False
    """Name the units that fire at each step, too; needs agentlens dissect first."""
    floor: float = 0.01
    """The least effect that counts, nats (of a Q-network: in units of Q)."""
    decided: float = 0.9
    """The agent is decided where it prefers an action with at least this probability."""
    patches: int = 40
    """Random patches an object and step."""
    seed: int = 0
    """Seed of the patches."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    threads: int = 0
    """CPU threads; 0 for one, which suits the small batches."""
    output: Location = None
    """Folder of the tables; `words` in the recording's folder if not given."""


def run(options: Options) -> int:
    """Describe, and print the summary, some sentences and the folder."""
    from agentlens.compute import Compute
    from agentlens.store.tables import read_table
    from agentlens.words.description import DescribeOptions
    from agentlens.workflows.describe import describe

    recording = options.source.open()
    episode = 0 if options.episode is None and options.span.around else options.episode
    with progress("describing", "steps") as report:
        result = describe(
            recording,
            steps=options.span.chosen(recording, episode or 0),
            episodes=None if episode is None else [episode],
            options=DescribeOptions(
                floor=options.floor,
                decided=options.decided,
                patches=options.patches,
                seed=options.seed,
                shares=not options.no_shares,
                pairs=options.pairs,
                units=options.units,
            ),
            compute=Compute(device=options.device, threads=options.threads),
            output=options.output,
            progress=report,
        )
    columns, _ = read_table(result.folder / "sentences")
    count, games = len(columns["sentence"]), len(set(columns["episode"].tolist()))
    for place in range(min(options.lines, count)):
        row = place * count // min(options.lines, count)
        game = f"game {columns['episode'][row]}, " if games > 1 else ""
        print(f"{game}step {columns['step'][row]}: {columns['sentence'][row]}")
    rows = [
        (
            group.name,
            _share(group.decided),
            _share(group.effect),
            _share(group.shapley),
            f"{group.mean_effect:.3f} {result.unit}",
            f"{group.cited:.0%}",
        )
        for group in result.groups
    ]
    table(("object", "where decided", "all steps", "Shapley", "effect of erasing", "cited"), rows)
    print(f"{result.steps} steps: {result.line}")
    if result.loss_line:
        print(result.loss_line)
    for line in result.pair_lines:
        print(line)
    if options.units:
        _print_units(result.folder / "units")
    print(f"tables: {result.folder}; agentlens render draws them with --panels game caption")
    return 0


def _print_units(path: Path) -> None:
    """The units that fire at most steps, and where the others are."""
    from agentlens.store.tables import read_table

    columns, _ = read_table(path)
    counts = Counter(zip(columns["unit"], columns["stands_for"], strict=True))
    rows = [(str(unit), str(stands), str(count)) for (unit, stands), count in counts.most_common(5)]
    table(("unit", "stands for", "fires at steps"), rows)


def _share(share: float) -> str:
    return "-" if math.isnan(share) else f"{share:.0%}"


VERB = Verb(summary="say in words what an agent did and why", options=Options, run=run, order=47)
