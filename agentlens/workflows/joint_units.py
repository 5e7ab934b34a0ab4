"""Units by cause: those of one layer that together carry most of an object to the policy.

What a unit carries of an object says nothing of what it carries together with others: where one
stands in for another, each alone carries little. So units are added one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.network.places import Place, find_place
from agentlens.store.recording import Recording
from agentlens.workflows.dissect import MOST_STEPS, usual_places
from agentlens.workflows.inside import Inside, living_units, look_inside
from agentlens.workflows.unit_effects import (
    Asked,
    ObjectLess,
    ObjectPath,
    object_path,
    observations_without,
)


@dataclass(frozen=True, kw_only=True)
class CarryingUnits:
    """Units of a place in the order in which they were added, for one object.

    ``carried``: nats, the policy's mean KL when the first one, the first two and so on give what
    they give without the object. ``erased``: nats, its mean KL when all see no such object.
    """

    object: str
    place: Place
    units: tuple[int, ...]
    carried: tuple[float, ...]
    erased: float

    @property
    def names(self) -> tuple[str, ...]:
        """Such as torso.1.unit.24."""
        return tuple(f"{self.place.name}.unit.{unit}" for unit in self.units)


def carrying_units(
    recording: Recording, object_name: str, count: int, place: str | None = None
) -> tuple[CarryingUnits, CarryingUnits | None]:
    """The units of one layer that together carry most of an object to the policy.

    Args:
        recording: of an Atari game, by an agent that sees grey and has logits.
        object_name: such as ball.
        count: how many units.
        place: the layer; if not given, that in which so many units carry most.

    Returns:
        The units, added one by one, each the one with which the units so far carry most; and as
        many others of the layer that carry most of another object: of the one whose erasing
        moves the policy most. None where the layer has too few units that ever change.

    Raises:
        UnknownName: no such object or layer.
        InvalidArgument: an agent that sees colour or has no logits, memory, or no layer with
            twice as many units that change.
    """
    inside = look_inside(recording, compute=Compute(), most=MOST_STEPS)
    bare = observations_without(recording, inside.steps.origins)
    if not bare:
        raise InvalidArgument("objects are erased from what grey agents see; this one sees colour.")
    if object_name not in bare:
        raise UnknownName("object", object_name, bare)
    best: tuple[CarryingUnits, Place, np.ndarray] | None = None
    for candidate in _places(inside, place):
        living = living_units(inside, candidate)
        if len(living) < 2 * count:
            continue
        carrying = most_carrying(
            _path(inside, candidate, bare, object_name), object_name, living, count
        )
        if best is None or carrying.carried[-1] > best[0].carried[-1]:
            best = carrying, candidate, living
    if best is None:
        raise InvalidArgument(
            f"{count} units: expected at most half of those that ever change in "
            f"{place or 'some layer'}, as many others stand beside them."
        )
    named, chosen, living = best
    return named, _beside(inside, chosen, bare, named, np.setdiff1d(living, named.units))


def most_carrying(
    path: ObjectPath, object_name: str, among: np.ndarray, count: int
) -> CarryingUnits:
    """Units added one by one, each the one with which the units so far carry most.

    Args:
        path: the way of the object through a place.
        object_name: its name.
        among: int64, the units to choose from; of equals the first.
        count: how many, at most as many as there are.
    """
    units: list[int] = []
    carried: list[float] = []
    for _ in range(count):
        left = [int(unit) for unit in among if unit not in units]
        nats = [path.carried((*units, unit)) for unit in left]
        units.append(left[int(np.argmax(nats))])
        carried.append(max(nats))
    return CarryingUnits(
        object=object_name,
        place=path.asked.place,
        units=tuple(units),
        carried=tuple(carried),
        erased=path.erased,
    )


def _places(inside: Inside, place: str | None) -> list[Place]:
    policy = inside.agent.policy
    places = [find_place(policy, name) for name in ([place] if place else usual_places(policy))]
    usable = [candidate for candidate in places if candidate.kind != "memory"]
    if not usable:
        raise InvalidArgument(f"{place}: memory is read at the next step only; choose a layer.")
    return usable


def _path(inside: Inside, place: Place, bare: ObjectLess, object_name: str) -> ObjectPath:
    asked = Asked(
        policy=inside.agent.policy,
        place=place,
        observations=inside.steps.observations,
        states=inside.steps.states,
    )
    return object_path(asked, bare[object_name])


def _beside(
    inside: Inside, place: Place, bare: ObjectLess, named: CarryingUnits, left: np.ndarray
) -> CarryingUnits | None:
    """As many of the units left, for the other object that moves the policy most."""
    paths = {name: _path(inside, place, bare, name) for name in bare if name != named.object}
    if not paths or len(left) < len(named.units):
        return None
    other = max(paths, key=lambda name: paths[name].erased)
    return most_carrying(paths[other], other, left, len(named.units))
