"""Edit units of an agent on its recording, beside random units, a wrong layer and a sham.

Shape letters: T steps, C units of a place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.network.edits import EditedPolicy
from agentlens.provenance import provenance
from agentlens.store.recording import Recording
from agentlens.store.tables import write_table
from agentlens.workflows.edit_arms import SEED, Arm, EditArm, edit_arms
from agentlens.workflows.edit_choice import ChosenUnits, read_units
from agentlens.workflows.edit_plan import ABLATE, EditPlan
from agentlens.workflows.inside import Inside, look_inside, preferences_of

MOST_STEPS = 120
"""Steps that edits are measured on."""


@dataclass(frozen=True, kw_only=True)
class EditChange:
    """How far one edit moves the policy, means over the steps.

    ``draw``: number of the draw. ``kl``: nats. ``total_variation``: 0 to 1.
    """

    arm: Arm
    draw: int
    units: str
    kl: float
    total_variation: float


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """What ``edit_units`` wrote and measured: ``path`` of the table, without a suffix."""

    path: Path
    steps: int
    changes: tuple[EditChange, ...]

    def of(self, arm: Arm) -> tuple[EditChange, ...]:
        """The edits of one arm."""
        return tuple(change for change in self.changes if change.arm == arm)

    def beaten(self, arm: Arm) -> float:
        """The share of an arm's draws that move the policy less (KL) than the named units."""
        named = self.of("named")[0].kl
        return float(np.mean([named > change.kl for change in self.of(arm)]))


def edit_units(
    recording: Recording | Path | str,
    units: ChosenUnits | Sequence[str],
    plan: EditPlan = ABLATE,
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
) -> EditResult:
    """Edit units on a recording's steps and measure the policy's change.

    Args:
        recording: or its folder, of an Atari game.
        units: names such as "torso.5.unit.3", or what ``best_units`` chose.
        plan: what is done to them.
        compute: where.
        output: path of the table, without a suffix; ``edit`` in the recording's folder if not
            given.

    Returns:
        The change by the named units and by each arm beside them (see ``edit_arms``); the sham's
        must be 0.

    Raises:
        UnknownName, InvalidArgument: no such unit, memory, or no units left to draw from.
    """
    inside = look_inside(recording, compute=compute, most=MOST_STEPS)
    result = EditResult(
        path=Path(output) if output is not None else inside.recording.folder / "edit",
        steps=len(inside.preferences),
        changes=edit_changes(inside, arms_of_units(inside, units, plan)),
    )
    columns = {
        name: [getattr(change, name) for change in result.changes]
        for name in ("arm", "draw", "units", "kl", "total_variation")
    }
    about = {
        "recording": inside.recording.header.identity,
        "steps": result.steps,
        "plan": dataclasses.asdict(plan),
    }
    write_table(result.path, columns, {**about, "seed": SEED, **provenance()})
    return result


def arms_of_units(
    inside: Inside, units: ChosenUnits | Sequence[str], plan: EditPlan
) -> tuple[EditArm, ...]:
    """All arms of an edit of these units.

    Raises:
        UnknownName, InvalidArgument: as ``edit_arms`` and ``read_units``.
    """
    chosen = units if isinstance(units, ChosenUnits) else ChosenUnits(named=tuple(units))
    policy = inside.agent.policy
    beside = read_units(policy, chosen.beside) if chosen.beside else None
    named = read_units(policy, chosen.named)
    if beside is not None and not set(beside) <= set(named):
        raise InvalidArgument("units beside the named ones: expected units of the same layers.")
    return edit_arms(inside, named, plan, beside)


def edit_changes(inside: Inside, arms: Sequence[EditArm]) -> tuple[EditChange, ...]:
    """The change of the policy by each arm, on all of the steps."""
    edited = EditedPolicy(inside.agent.policy, [])
    before = torch.from_numpy(inside.preferences).double().log_softmax(1)
    changes = []
    for arm in arms:
        edited.edits = arm.edits
        given = torch.from_numpy(preferences_of(edited, inside.steps, slice(None))).double()
        after = given.log_softmax(1)
        changes.append(
            EditChange(
                arm=arm.arm,
                draw=arm.draw,
                units=arm.units,
                kl=float((before.exp() * (before - after)).sum(1).mean()),
                total_variation=float((before.exp() - after.exp()).abs().sum(1).mean() / 2),
            )
        )
    return tuple(changes)
