"""agentlens excite: what excites a unit, made and recorded, beside a random one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlens.cli._console import table
from agentlens.cli._options import DeviceFlags, RecordingChoice
from agentlens.cli._verb import Verb
from agentlens.network.excite_plan import ExcitePlan
from agentlens.workflows.options import Location

if TYPE_CHECKING:
    from agentlens.workflows.excite_result import ExciteResult


@dataclass(frozen=True, kw_only=True)
class Options:
    """Show what excites a unit: screens made for it beside the recorded ones, as a page.

    A screen is changed step by step until the unit is as active as it can be, from the unit's
    strongest recorded frame and from the recording's background, holding nothing but grey values
    that the recording holds. Beside it stand the same for a random unit of the layer and for an
    untrained network: a made screen always excites its unit and always looks like something.

    The unit's curve over the episodes goes into the recording's numbers, too; the panel "numbers"
    of a video draws it.

    Example: agentlens excite recordings/pong-ppo --unit torso.5.unit.16
    """

    source: RecordingChoice
    compute: DeviceFlags
    unit: str
    """A unit such as torso.5.unit.16; agentlens dissect names them."""
    plan: ExcitePlan
    output: Location = None
    """The page; excite-UNIT.html in the recording's folder if not given. Picture and table lie
    beside it."""
    force: bool = False
    """Replace what is there already."""


def run(options: Options) -> int:
    """Print how active the units are and where the page lies."""
    from agentlens.cli._agent import use_compute
    from agentlens.workflows.excite import excite_unit

    result = excite_unit(
        options.source.open(),
        options.unit,
        options.plan,
        compute=use_compute(options.compute),
        output=options.output,
        force=options.force,
    )
    _print(result)
    return 0


def _print(result: ExciteResult) -> None:
    rows = []
    for subject in result.subjects:
        recorded = f"{subject.frames[0].value:.2f}" if subject.frames else "never active"
        made = "-" if subject.from_frame is None else f"{subject.from_frame.after:.2f}"
        ground = subject.from_background
        rows.append((subject.role, subject.name, recorded, made, f"{ground.after:.2f}"))
    table(("", "unit", "most recorded", "made from it", "made from background"), rows)
    shares = [
        (subject.role, share.name, f"{share.strong:.0%}", f"{share.other:.0%}")
        for subject in result.subjects
        for share in subject.objects
        if max(share.strong, share.other) > 0
    ]
    if shares:
        print()
        table(("", "in its field", "when most active", "other steps"), shares)
    print(f"page: {result.page}; picture: {result.picture}; table: {result.table}.parquet and .csv")
    print(f"curve: {result.curve}.parquet and .csv")


VERB = Verb(summary="show what excites a unit", options=Options, run=run, order=49)
