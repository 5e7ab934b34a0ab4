"""The arms of an edit: the named units, others chosen alike, random ones, a wrong layer, a sham.

Shape letters: T steps, C units of a place, h w feature rows and columns.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.network.edits import Edit, incoming_weights
from agentlens.network.places import Place, find_place, list_places
from agentlens.network.taps import tap
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy
from agentlens.workflows.dissect import usual_places
from agentlens.workflows.edit_choice import Chosen
from agentlens.workflows.edit_plan import EditPlan
from agentlens.workflows.inside import Inside, living_units

DRAWS = 20
"""Random sets of units."""

_MEMORY = "an agent with a memory cannot take or give units step by step."

SEED = 11
"""Of the draws."""

Arm = Literal["named", "chosen alike", "random", "wrong layer", "sham"]
ARMS: tuple[Arm, ...] = ("named", "chosen alike", "random", "wrong layer", "sham")
"""In the order of tables; "chosen alike" only where units were chosen for a concept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EditArm:
    """One set of edits. ``draw``: number of the draw, 0 where nothing is drawn."""

    arm: Arm
    draw: int
    edits: tuple[Edit, ...]

    @property
    def units(self) -> str:
        """The units' names, apart by spaces."""
        return " ".join(f"{e.place.name}.unit.{unit}" for e in self.edits for unit in e.units)


def edit_arms(
    inside: Inside, chosen: Chosen, plan: EditPlan, beside: Chosen | None = None
) -> tuple[EditArm, ...]:
    """The named units and everything that stands beside them.

    Args:
        inside: the agent and its steps.
        chosen: the named units.
        plan: what is done to them.
        beside: as many units that stand for something else, chosen in the same way.

    Returns:
        ``DRAWS`` draws of as many other units of the same places and of as many of another
        place, of those that ever change, each edited alike. Where units are steered, others of
        the same place get what the named ones get, at random, so that the push is as long (the
        named units themselves where they are more than half); those of the other place get
        entries of that place's own direction, at random. The sham adds zeros, or puts in what the
        agent's own units give, or their own weights.

    Raises:
        UnknownName, InvalidArgument: no such attribute or step, or too few units to draw from.
    """
    policy, steered = inside.agent.policy, plan.operation == "steer"
    other = other_place(policy, chosen)
    places = {name: find_place(policy, name) for name in (*chosen, other.name)}
    moves = _moves(inside, plan, places)
    living = {name: living_units(inside, place) for name, place in places.items()}
    pools = {
        name: _steered_pool(places[name], units) if steered else _pool(name, units, living[name])
        for name, units in chosen.items()
    }
    generator = np.random.default_rng(SEED)

    def arm(name: Arm, draw: int, units: Chosen) -> EditArm:
        edits = []
        for where, numbers in units.items():
            move = moves[where]
            if steered and name in ("random", "wrong layer"):
                given = chosen[where] if name == "random" else range(places[where].units)
                move = _exchanged(move, given, numbers, generator)
            edits.append(dataclasses.replace(move, units=numbers))
        return EditArm(arm=name, draw=draw, edits=tuple(edits))

    arms = [arm("named", 0, chosen)]
    if beside:
        arms.append(arm("chosen alike", 0, beside))
    for draw in range(DRAWS):
        units = {name: _drawn(generator, pool, len(chosen[name])) for name, pool in pools.items()}
        arms.append(arm("random", draw, units))
    elsewhere = np.arange(other.units) if steered else living[other.name]
    count = min(sum(map(len, chosen.values())), len(elsewhere))
    for draw in range(DRAWS):
        units = {other.name: _drawn(generator, elsewhere, count)}
        arms.append(arm("wrong layer", draw, units))
    sham = tuple(_sham(policy, moves[name], units) for name, units in chosen.items())
    return (*arms, EditArm(arm="sham", draw=0, edits=sham))


def arms_digest(arms: Iterable[EditArm]) -> str:
    """SHA-256, hexadecimal, over all that the arms do: units, values, donors' weights."""
    digest = hashlib.sha256()
    for arm in arms:
        for edit in arm.edits:
            digest.update(f"{arm.arm} {arm.draw} {edit.operation} {edit.place.name}".encode())
            digest.update(str(edit.units).encode())
            tensors = [] if edit.values is None else [edit.values]
            if edit.donor is not None:
                tensors += edit.donor.state_dict().values()
            for tensor in tensors:
                digest.update(f"{tuple(tensor.shape)}".encode())
                digest.update(np.ascontiguousarray(tensor.cpu()).tobytes())
    return digest.hexdigest()


def _exchanged(
    move: Edit, given: Sequence[int], taking: Sequence[int], generator: np.random.Generator
) -> Edit:
    """A push with the entries of ``given`` units handed at random to as many others, or fewer."""
    assert move.values is not None  # a push has a direction
    entries = generator.permutation(np.asarray(given))[: len(taking)]
    values = torch.zeros_like(move.values)
    values[list(taking)] = move.values[torch.from_numpy(entries)]
    return dataclasses.replace(move, values=values)


def _steered_pool(place: Place, units: tuple[int, ...]) -> np.ndarray:
    """The units that get the push of the named ones: others, or all where these are too few."""
    others = np.setdiff1d(np.arange(place.units), units)
    return others if len(others) >= len(units) else np.arange(place.units)


def _moves(inside: Inside, plan: EditPlan, places: Mapping[str, Place]) -> dict[str, Edit]:
    """By place what is done to its units, as an edit of none of them."""
    donor = None if plan.donor is None else donor_policy(inside, plan.donor, places.values())
    if donor is not None and plan.operation == "patch" and donor.state_size:
        raise InvalidArgument(_MEMORY)
    moves = {}
    for name, place in places.items():
        live = donor if plan.operation == "patch" else None
        moves[name] = Edit(
            place=place,
            units=(),
            operation=plan.operation,
            values=None if live is not None else _values(inside, place, plan, donor),
            donor=live,
        )
    return moves


def _sham(policy: Policy, move: Edit, units: tuple[int, ...]) -> Edit:
    """The same done with what is there already: its own values or weights, or zeros added."""
    if move.donor is not None:
        return dataclasses.replace(move, units=units, donor=policy)
    if move.operation == "reweigh":
        own = incoming_weights(policy, move.place)
        return dataclasses.replace(move, units=units, values=own)
    return Edit(place=move.place, units=units, operation="steer")


def other_place(policy: Policy, chosen: Chosen) -> Place:
    """The first of the usual places that is not chosen: the wrong layer; one that has as many
    units where there is one.

    Raises:
        InvalidArgument: there is none.
    """
    count = sum(map(len, chosen.values()))
    places = [find_place(policy, name) for name in usual_places(policy) if name not in chosen]
    places = [place for place in places if place.kind != "memory"]
    if not places:
        raise InvalidArgument("no other layer to compare with: name units of fewer layers.")
    return next((p for p in places if p.units >= count), max(places, key=lambda p: p.units))


def _pool(name: str, units: tuple[int, ...], living: np.ndarray) -> np.ndarray:
    """The living units of a place that random ones are drawn from."""
    pool = np.setdiff1d(living, units)
    if len(pool) < len(units):
        raise InvalidArgument(
            f"{len(units)} units of {name}, where {len(living)} ever change: expected at most half "
            "of these, as many others are drawn beside them."
        )
    return pool


def donor_policy(inside: Inside, name: str, places: Iterable[Place]) -> Policy:
    """Another agent's policy, whose units can stand in for this one's.

    Raises:
        InvalidArgument: it sees something else, has a memory, or lacks a place of this shape.
    """
    if name == "untrained":
        return inside.twin
    own, donor = inside.agent, load_agent(name)
    if donor.spec.observation != own.spec.observation:
        raise InvalidArgument(
            f"{name} sees other observations than {own.spec.name}: choose another."
        )
    if donor.policy.state_size or own.policy.state_size:
        raise InvalidArgument(_MEMORY)
    shapes = {place.name: place.shape for place in list_places(donor.policy)}
    for place in places:
        if shapes.get(place.name) != place.shape:
            raise InvalidArgument(
                f"{name} has no place {place.name} of shape {place.shape}: choose an agent of the "
                "same network."
            )
    return donor.policy.to(next(own.policy.parameters()).device)


def _values(inside: Inside, place: Place, plan: EditPlan, donor: Policy | None) -> Tensor:
    """What a place's units give or are moved by, float32 [C] or [C, h, w]; or their weights."""
    if plan.operation == "reweigh":
        return plan.amount * incoming_weights(donor or inside.agent.policy, place)
    if plan.operation == "patch":
        return torch.from_numpy(_at_step(inside, place, plan.step or 0))
    layer = inside.layer(place)
    if plan.operation != "steer":
        return torch.from_numpy(np.moveaxis(layer, 1, 0).reshape(place.units, -1).mean(1))
    attributes = inside.steps.attributes
    if plan.towards not in attributes:
        raise UnknownName("attribute", str(plan.towards), attributes)
    held = attributes[plan.towards]
    return torch.from_numpy(plan.amount * (layer[held].mean(0) - layer[~held].mean(0))).float()


def _at_step(inside: Inside, place: Place, step: int) -> np.ndarray:
    """What a place gave at a step of the first episode: float32 [C] or [C, h, w]."""
    episode = inside.recording.episodes[0]
    if not 0 <= step < len(episode):
        raise InvalidArgument(f"step {step}: expected 0 to {len(episode) - 1}.")
    rows = slice(step, step + 1)
    states = None if episode.states is None else np.asarray(episode.states[rows], np.float32)
    values = tap(inside.agent.policy, [place], np.asarray(episode.observations[rows]), states)
    return np.asarray(values[place.name][0], np.float32)


def _drawn(generator: np.random.Generator, pool: np.ndarray, count: int) -> tuple[int, ...]:
    return tuple(sorted(int(unit) for unit in generator.choice(pool, count, replace=False)))
