"""agentlens edit: silence or push units on recorded steps or in play, beside random ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentlens.cli._console import ConsoleStages, table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.errors import InvalidArgument
from agentlens.workflows.edit_plan import EditPlan
from agentlens.workflows.options import Location, Name

if TYPE_CHECKING:
    from agentlens.comparison.statistics import Interval
    from agentlens.store.recording import Recording
    from agentlens.workflows.edit import EditResult
    from agentlens.workflows.edit_games import EditedGames


@dataclass(frozen=True, kw_only=True)
class Options:
    """Edit units of an agent and tell how far the policy moves, or with --games what it costs.

    Edited units give their mean over the recording (ablate), or all others of the layer do
    (keep); they are pushed towards an attribute (steer); they give what they gave at one step, or
    what another agent's give on the same screens (patch); their incoming weights are multiplied,
    or another agent's (reweigh). Beside them: as many random units of the same layers, as many of
    another layer, and a sham edit, which must change nothing.

    Example: agentlens edit recordings/pong-ppo --units torso.5.unit.3 torso.5.unit.9

    Example: agentlens edit recordings/pong-ppo --best ball --by jointly --games 20

    Example: agentlens edit recordings/pong-ppo --best ball --operation reweigh --amount 0.5

    Example: agentlens edit recordings/pong-ppo --best ball --operation patch --donor pong-ppo-early
    """

    source: RecordingChoice
    compute: DeviceFlags
    units: tuple[str, ...] = ()
    """Units to edit, such as torso.5.unit.3; torso.5 is all of its units."""
    best: Name = None
    """Instead: the units that stand best for this concept, such as ball; needs `agentlens
    dissect` first, or --by jointly."""
    count: int = 5
    """How many of them."""
    place: Name = None
    """Of this layer alone, such as torso.5."""
    by: Literal["excess", "effect", "carried", "jointly"] = "excess"
    """Which are the best: those with most over both controls; of these, those that move the policy
    most when silenced (effect), or when they give what they give without the object (carried); or
    of all units of a layer those that together carry most of the object (jointly)."""
    chosen_on: Location = None
    """Another recording of the agent, dissected, on which --best chooses: then the choice does
    not know what it is measured on."""
    plan: EditPlan
    games: int = 0
    """Play so many whole games of each arm, paired under the same chances, and tell the return; 0
    measures on the recorded steps. Finished games are kept: the same command goes on after a
    stop."""
    force: bool = False
    """With --games: play from the start, whatever a run that was stopped has left."""
    output: Location = None
    """Table to write, without a suffix; `edit` or `edit-games` in the recording's folder if not
    given."""


def run(options: Options) -> int:
    """Print one line an arm."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.edit import edit_units
    from agentlens.workflows.edit_choice import ChosenUnits, UnitChoice, best_units
    from agentlens.workflows.edit_play import play_edits

    if bool(options.units) == (options.best is not None):
        raise InvalidArgument("--units and --best: give one of them.")
    if options.best is None and (options.place is not None or options.chosen_on is not None):
        raise InvalidArgument(
            "--place and --chosen-on go with --best; --units names layers itself."
        )
    recording, units = options.source.open(), ChosenUnits(named=options.units)
    if options.best is not None:
        choice = UnitChoice(
            concept=options.best, count=options.count, place=options.place, by=options.by
        )
        units = best_units(_chosen_on(options, recording), choice)
    compute = use_compute(options.compute)
    print(f"{options.plan.operation}: {' '.join(units.named)}")
    if units.carried is not None:
        print(
            f"together they carry {units.carried[0]:.3f} of the {units.carried[1]:.3f} nats that "
            f"erasing {options.best} makes"
        )
    if units.beside:
        print(f"chosen alike: {' '.join(units.beside)}")
    if options.games == 0:
        _print_changes(
            edit_units(recording, units, options.plan, compute=compute, output=options.output)
        )
        return 0
    played = play_edits(
        recording,
        units,
        options.plan,
        games=options.games,
        compute=compute,
        output=options.output,
        force=options.force,
        progress=ConsoleStages(),
    )
    _print_games(played)
    return 0


def _chosen_on(options: Options, recording: Recording) -> Recording:
    """The recording on which units are chosen, which must be of the same agent."""
    if options.chosen_on is None:
        return recording
    other = replace(options.source, recording=options.chosen_on).open()
    own, chosen = recording.header.agent, other.header.agent
    if chosen != own:
        raise InvalidArgument(
            f"--chosen-on {options.chosen_on} is a recording of {chosen.name} with other weights "
            f"or another protocol than {own.name}'s: units of one agent say nothing of another's."
        )
    return other


def _print_changes(result: EditResult) -> None:
    from agentlens.workflows.edit_arms import ARMS

    rows = []
    for arm in ARMS:
        kls = sorted(change.kl for change in result.of(arm))
        if not kls:
            continue
        variations = [change.total_variation for change in result.of(arm)]
        spread = f"{kls[0]:.4f} to {kls[-1]:.4f}" if len(kls) > 1 else "-"
        beaten = f"{result.beaten(arm):.0%}" if len(kls) > 1 else "-"
        means = (sum(kls) / len(kls), sum(variations) / len(variations))
        rows.append((arm, str(len(kls)), f"{means[0]:.4f}", spread, f"{means[1]:.4f}", beaten))
    heads = ("units", "draws", "KL", "least to most", "total variation", "named moves more in")
    table(heads, rows)
    print(f"{result.steps} steps; table: {_files(result.path)}")


def _print_games(result: EditedGames) -> None:
    from agentlens.workflows.edit_games import UNTOUCHED

    rows = []
    for arm in result.arms:
        gap = "-" if arm == UNTOUCHED else _text(result.difference(arm))
        beside = "-" if arm in (UNTOUCHED, "named") else _text(result.difference("named", arm))
        rows.append((arm, str(len(result.of(arm))), _text(result.mean_return(arm)), gap, beside))
    table(("units", "games", "return", "less untouched", "named less this"), rows)
    same = "are the untouched ones, action for action"
    print(f"sham games {same if result.sham_agrees else 'DIFFER from the untouched ones'}")
    count = len(result.of(UNTOUCHED))
    if result.distinct < count:
        print(
            f"only {result.distinct} of {count} untouched games differ: intervals that take them "
            "for as many are too narrow"
        )
    print(f"95 % intervals over games; table: {_files(result.path)}")


def _text(interval: Interval) -> str:
    return f"{interval.estimate:+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"


def _files(path: Path) -> str:
    return f"{path}.parquet and .csv"


VERB = Verb(summary="edit units and tell what changes", options=Options, run=run, order=49)
