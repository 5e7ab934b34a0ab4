"""Silence units of an agent on its recording, beside random units, a wrong layer and a sham.

Shape letters: T steps, C units of a place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import Corrupt, InvalidArgument, UnknownName
from agentlens.network.edits import Edit, EditedPolicy
from agentlens.network.places import Place, find_place, parse_unit
from agentlens.policies.base import Policy
from agentlens.provenance import provenance
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import read_table, write_table
from agentlens.workflows.dissect import TABLE, usual_places
from agentlens.workflows.inside import Inside, look_inside, preferences_of

MOST_STEPS = 120
"""Steps that edits are measured on."""

DRAWS = 20
"""Random sets of units."""

_SEED = 11

Chosen = Mapping[str, tuple[int, ...]]
"""Units by the name of their place."""


@dataclass(frozen=True, kw_only=True)
class EditChange:
    """How far one edit moves the policy, means over the steps.

    ``arm``: "named", "random", "wrong layer" or "sham". ``draw``: number of the draw. ``kl``:
    nats. ``total_variation``: 0 to 1.
    """

    arm: str
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

    def of(self, arm: str) -> tuple[EditChange, ...]:
        """The edits of one arm."""
        return tuple(change for change in self.changes if change.arm == arm)

    def beaten(self, arm: str) -> float:
        """The share of an arm's draws that move the policy less (KL) than the named units."""
        named = self.of("named")[0].kl
        return float(np.mean([named > change.kl for change in self.of(arm)]))


def edit_units(
    recording: Recording | Path | str,
    units: Sequence[str],
    *,
    compute: Compute = Compute(),
    output: Path | str | None = None,
) -> EditResult:
    """Set units to their means over the recording's steps and measure the policy's change.

    Args:
        recording: or its folder, of an Atari game.
        units: names such as "torso.5.unit.3".
        compute: where.
        output: path of the table, without a suffix; ``edit`` in the recording's folder if not
            given.

    Returns:
        The change by the named units; by ``DRAWS`` draws of as many other units of the same
        places; by as many draws of as many units of another place; and by adding zeros to the
        named units, which must be 0.

    Raises:
        UnknownName, InvalidArgument: no such unit, memory, or no units left to draw from.
    """
    inside = look_inside(recording, compute=compute, most=MOST_STEPS)
    policy = inside.agent.policy
    chosen = read_units(policy, units)
    result = EditResult(
        path=Path(output) if output is not None else inside.recording.folder / "edit",
        steps=len(inside.preferences),
        changes=edit_changes(inside, chosen, _other_place(policy, chosen)),
    )
    columns = {
        name: [getattr(change, name) for change in result.changes]
        for name in ("arm", "draw", "units", "kl", "total_variation")
    }
    about = {"recording": inside.recording.header.identity, "steps": result.steps}
    write_table(result.path, columns, {**about, "seed": _SEED, **provenance()})
    return result


def best_units(
    recording: Recording | Path | str, concept: str, count: int, place: str | None = None
) -> tuple[str, ...]:
    """The units with the largest excess for a concept, from what ``dissect`` wrote.

    Args:
        recording: or its folder.
        concept: an object or attribute of the table.
        count: units.
        place: of this place alone.

    Raises:
        Corrupt: the recording was not dissected.
        UnknownName: no unit stands for the concept.
        InvalidArgument: fewer units than asked for, or another recording's table.
    """
    recording = open_recording(recording)
    if not (recording.folder / f"{TABLE}.parquet").is_file():
        raise Corrupt(f"{recording.folder}: not dissected yet; run agentlens dissect on it.")
    table, about = read_table(recording.folder / TABLE)
    if about.get("recording") != recording.header.identity:
        raise InvalidArgument(f"{recording.folder / TABLE}: is of another recording; dissect anew.")
    within = np.array([place in (None, name) for name in table["place"]])
    named = sorted({str(name) for name in table["concept"][within]})
    if concept not in named:
        raise UnknownName("concept", concept, named, hint="agentlens dissect finds them.")
    rows = np.flatnonzero(within & (table["concept"] == concept) & (table["excess"] > 0))
    if count < 1 or len(rows) < count:
        raise InvalidArgument(
            f"{count} units for {concept!r}: expected 1 to {len(rows)}, as many as have more than "
            "both controls."
        )
    rows = rows[np.argsort(-table["excess"][rows], kind="stable")][:count]
    return tuple(f"{table['place'][row]}.unit.{table['unit'][row]}" for row in rows)


def read_units(policy: Policy, units: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Units by place from names such as "torso.5.unit.3".

    Raises:
        UnknownName, InvalidArgument: no such unit; none at all; memory.
    """
    chosen: dict[str, tuple[int, ...]] = {}
    for text in units:
        place, numbers = parse_unit(policy, text)
        if place.kind == "memory":
            raise InvalidArgument(
                f"{text}: memory is read at the next step only, so nothing would change in the "
                "same step; choose a unit of a layer."
            )
        chosen[place.name] = tuple(sorted({*chosen.get(place.name, ()), *numbers}))
    if not chosen:
        raise InvalidArgument("no units were given: expected names such as torso.5.unit.3.")
    return chosen


def edit_changes(inside: Inside, chosen: Chosen, other: Place) -> tuple[EditChange, ...]:
    """The changes by the named units, by the draws, and by a sham edit.

    Args:
        inside: the agent and its steps.
        chosen: the named units.
        other: the wrong layer.

    Raises:
        InvalidArgument: a place has fewer other units than are named.
    """
    generator = np.random.default_rng(_SEED)
    places = {name: find_place(inside.agent.policy, name) for name in (*chosen, other.name)}
    means = {name: _means(inside, place) for name, place in places.items()}
    count = sum(map(len, chosen.values()))
    pools = {name: np.setdiff1d(np.arange(places[name].units), chosen[name]) for name in chosen}
    for name, pool in pools.items():
        if len(pool) < len(chosen[name]):
            raise InvalidArgument(
                f"{len(chosen[name])} of {places[name].units} units of {name}: expected at most "
                "half of them, as many others are drawn beside them."
            )
    arms: list[tuple[str, int, Chosen]] = [("named", 0, chosen)]
    for draw in range(DRAWS):
        random = {name: _drawn(generator, pool, len(chosen[name])) for name, pool in pools.items()}
        arms.append(("random", draw, random))
    everywhere = np.arange(other.units)
    for draw in range(DRAWS):
        arms.append(("wrong layer", draw, {other.name: _drawn(generator, everywhere, count)}))
    edited = EditedPolicy(inside.agent.policy, [])
    changes = []
    for arm, draw, units in arms:
        edited.edits = tuple(
            Edit(place=places[name], units=numbers, values=means[name])
            for name, numbers in units.items()
        )
        changes.append(_change(inside, edited, arm, draw, units))
    edited.edits = tuple(
        Edit(place=places[name], units=numbers, operation="steer")
        for name, numbers in chosen.items()
    )
    return (*changes, _change(inside, edited, "sham", 0, chosen))


def _change(inside: Inside, edited: EditedPolicy, arm: str, draw: int, units: Chosen) -> EditChange:
    given = torch.from_numpy(preferences_of(edited, inside.steps, slice(None))).double()
    before = torch.from_numpy(inside.preferences).double().log_softmax(1)
    after = given.log_softmax(1)
    return EditChange(
        arm=arm,
        draw=draw,
        units=" ".join(f"{name}.unit.{unit}" for name, us in units.items() for unit in us),
        kl=float((before.exp() * (before - after)).sum(1).mean()),
        total_variation=float((before.exp() - after.exp()).abs().sum(1).mean() / 2),
    )


def _means(inside: Inside, place: Place) -> torch.Tensor:
    """The mean of every unit over steps and places: float32 [C]."""
    values = np.moveaxis(inside.layer(place), 1, 0).reshape(place.units, -1)
    return torch.from_numpy(values.mean(1))


def _drawn(generator: np.random.Generator, pool: np.ndarray, count: int) -> tuple[int, ...]:
    return tuple(sorted(int(unit) for unit in generator.choice(pool, count, replace=False)))


def _other_place(policy: Policy, chosen: Chosen) -> Place:
    """The first of the usual places that is not chosen and has as many units.

    Raises:
        InvalidArgument: there is none.
    """
    count = sum(map(len, chosen.values()))
    for name in usual_places(policy):
        place = find_place(policy, name)
        if name not in chosen and place.kind != "memory" and place.units >= count:
            return place
    raise InvalidArgument(f"no other layer has {count} units to compare with: name fewer.")
