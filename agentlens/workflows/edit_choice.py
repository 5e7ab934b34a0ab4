"""Which units are edited: by name, or the best for a concept in what ``dissect`` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from agentlens.counts import check_count
from agentlens.errors import Corrupt, InvalidArgument, UnknownName
from agentlens.network.places import parse_unit
from agentlens.policies.base import Policy
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import read_table
from agentlens.workflows.dissect import TABLE
from agentlens.workflows.joint_units import carrying_units

Chosen = Mapping[str, tuple[int, ...]]
"""Units by the name of their place."""

_COLUMNS = {"excess": "excess", "effect": "kl_when_silenced", "carried": "kl_carried"}


@dataclass(frozen=True, kw_only=True)
class UnitChoice:
    """How the units of a concept are chosen.

    Raises:
        InvalidArgument: no unit at all, or another order.
    """

    concept: str
    """An object or attribute that units stand for, such as ball."""
    count: int = 5
    """How many units."""
    place: str | None = None
    """Of this layer alone."""
    by: Literal["excess", "effect", "carried", "jointly"] = "excess"
    """Which are the best: those with most over both controls; or, of those above both controls,
    those that move the policy most when silenced (effect), or when they give what they give
    without the object (carried); or, of all units of one layer whatever they look like, those
    that together carry most of the object to the policy (jointly)."""

    def __post_init__(self) -> None:
        check_count("count", self.count)
        if self.by not in (*_COLUMNS, "jointly"):
            raise InvalidArgument(f"by {self.by!r}: expected {', '.join(_COLUMNS)} or jointly.")


@dataclass(frozen=True, kw_only=True)
class ChosenUnits:
    """Names of units. ``named``: the best for the concept. ``beside``: the best by the same order
    of those that stand for something else, in the same layers; empty where they are too few.
    ``carried``: of units chosen jointly, nats that they carry of the object, of nats that erasing
    it everywhere makes."""

    named: tuple[str, ...]
    beside: tuple[str, ...] = ()
    carried: tuple[float, float] | None = None


def best_units(recording: Recording | Path | str, choice: UnitChoice) -> ChosenUnits:
    """The best units for a concept, from what ``dissect`` wrote; chosen jointly, from the screens.

    Args:
        recording: or its folder; that of another game than the one on which the units are then
            measured makes the choice blind to the outcome.
        choice: of which concept, how many, and which are the best.

    Raises:
        Corrupt: the recording was not dissected.
        UnknownName: no unit stands for the concept.
        InvalidArgument: fewer units than asked for, or another recording's table.

    Notes:
        Jointly, about five seconds a layer on a CPU.
    """
    recording = open_recording(recording)
    if choice.by == "jointly":
        return _joint_units(recording, choice)
    if not (recording.folder / f"{TABLE}.parquet").is_file():
        raise Corrupt(f"{recording.folder}: not dissected yet; run agentlens dissect on it.")
    table, about = read_table(recording.folder / TABLE)
    if about.get("recording") != recording.header.identity:
        raise InvalidArgument(f"{recording.folder / TABLE}: is of another recording; dissect anew.")
    within = np.array([choice.place in (None, name) for name in table["place"]])
    concepts = sorted({str(name) for name in table["concept"][within]})
    if choice.concept not in concepts:
        raise UnknownName("concept", choice.concept, concepts, hint="agentlens dissect finds them.")
    standing = within & (table["excess"] > 0)
    rows = _best(table, standing & (table["concept"] == choice.concept), choice)
    if len(rows) < choice.count:
        raise InvalidArgument(
            f"{choice.count} units for {choice.concept!r}: expected 1 to {len(rows)}, as many as "
            "have more than both controls."
        )
    layers = np.isin(table["place"], table["place"][rows])
    beside = _best(table, standing & layers & (table["concept"] != choice.concept), choice)
    return ChosenUnits(
        named=_names(table, rows),
        beside=_names(table, beside) if len(beside) == choice.count else (),
    )


def _joint_units(recording: Recording, choice: UnitChoice) -> ChosenUnits:
    """The units that together carry most of an object, and as many for the next best object."""
    named, beside = carrying_units(recording, choice.concept, choice.count, choice.place)
    return ChosenUnits(
        named=named.names,
        beside=() if beside is None else beside.names,
        carried=(named.carried[-1], named.erased),
    )


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


def _best(table: Mapping[str, np.ndarray], among: np.ndarray, choice: UnitChoice) -> np.ndarray:
    """The rows of the best units, the best first; units without a figure are left out."""
    column = _COLUMNS[choice.by]
    if column not in table:
        raise Corrupt(f"the table of units has no column {column}: run agentlens dissect anew.")
    values = np.asarray(table[column], np.float64)
    rows = np.flatnonzero(among & np.isfinite(values))
    return rows[np.argsort(-values[rows], kind="stable")][: choice.count]


def _names(table: Mapping[str, np.ndarray], rows: np.ndarray) -> tuple[str, ...]:
    return tuple(f"{table['place'][row]}.unit.{table['unit'][row]}" for row in rows)
