"""agentlens edit: silence units on a recording's steps, beside random ones and a sham."""

from __future__ import annotations

from dataclasses import dataclass

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingFolder
from agentlens.cli._verb import Verb
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import Location, Name


@dataclass(frozen=True, kw_only=True)
class Options:
    """Silence units of an agent on the steps of its recording and tell how far the policy moves.

    Silenced units give their mean over the recording. Beside them: as many other units of the
    same layers and as many of another layer, 20 draws each, and a sham edit, which must be 0.

    Example: agentlens edit recordings/pong-ppo --ablate torso.5.unit.3 torso.5.unit.9
    """

    recording: RecordingFolder
    """Folder of a recording."""
    compute: DeviceFlags
    ablate: tuple[str, ...] = ()
    """Units to silence, such as torso.5.unit.3."""
    best: Name = None
    """Instead: the units that stand best for this concept, such as ball; needs `agentlens
    dissect` first."""
    count: int = 5
    """How many of them."""
    place: Name = None
    """Of this layer alone, such as torso.5."""
    output: Location = None
    """Table to write, without a suffix; `edit` in the recording's folder if not given."""


def run(options: Options) -> int:
    """Print one line an arm and the share of draws that move the policy less."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.edit import best_units, edit_units

    if bool(options.ablate) == (options.best is not None):
        raise InvalidArgument("--ablate and --best: give one of them.")
    units = options.ablate
    if options.best is not None:
        units = best_units(options.recording, options.best, options.count, options.place)
    elif options.place is not None:
        raise InvalidArgument("--place goes with --best; --ablate names layers itself.")
    compute = use_compute(options.compute)
    result = edit_units(options.recording, units, compute=compute, output=options.output)
    print(f"silenced: {' '.join(units)}")
    rows = []
    for arm in ("named", "random", "wrong layer", "sham"):
        kls = sorted(change.kl for change in result.of(arm))
        variations = [change.total_variation for change in result.of(arm)]
        spread = f"{kls[0]:.4f} to {kls[-1]:.4f}" if len(kls) > 1 else "-"
        beaten = f"{result.beaten(arm):.0%}" if len(kls) > 1 else "-"
        means = (sum(kls) / len(kls), sum(variations) / len(variations))
        rows.append((arm, str(len(kls)), f"{means[0]:.4f}", spread, f"{means[1]:.4f}", beaten))
    heads = ("units", "draws", "KL", "least to most", "total variation", "named moves more in")
    table(heads, rows)
    print(f"{result.steps} steps; table: {result.path}.parquet and .csv")
    return 0


VERB = Verb(summary="silence units and tell what changes", options=Options, run=run, order=49)
