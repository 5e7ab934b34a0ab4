"""What units do: the policy's change when one is silenced, or does not see its object.

Shape letters: T steps, C units of a place, K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agentlens.envs.atari.objects import objects_of
from agentlens.network.dissect import ablation_kl
from agentlens.network.edits import Edit, EditedPolicy
from agentlens.network.places import Place
from agentlens.network.taps import read_places
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.policies.networks import ChainPolicy
from agentlens.saliency.objects import ObjectEraser
from agentlens.store.recording import Recording

STEPS = 64
"""Steps that effects are measured on."""

ObjectLess = Mapping[str, np.ndarray]
"""By object the observations of the steps without it: float32 [STEPS, K, H, W]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Whose units are changed, and on which steps.

    ``observations``: float32 [T, K, H, W]. ``states``: [T, S] or None.
    """

    policy: Policy
    place: Place
    observations: np.ndarray
    states: np.ndarray | None

    @property
    def refused(self) -> bool:
        """Whether nothing can be told: memory is read at the next step, Q-values have no KL."""
        return self.place.kind == "memory" or self.policy.kind != "logits"


def measured(count: int) -> np.ndarray:
    """Which of the sampled steps effects are measured on: int64 [STEPS] or fewer."""
    return np.unique(np.linspace(0, count - 1, STEPS).astype(int))


def silenced_kl(asked: Asked, means: np.ndarray) -> tuple[float, ...]:
    """The policy's mean KL with each unit at its mean, nats; NaN where nothing can be told.

    Args:
        asked: policy, place and steps.
        means: float32 [C].
    """
    if asked.refused:
        return (float("nan"),) * asked.place.units
    rows, values = measured(len(asked.observations)), torch.from_numpy(means)
    inputs = _inputs(asked, asked.observations[rows], rows)
    changes = []
    with torch.no_grad():
        before, given = read_places(asked.policy, [asked.place], *inputs)
        for unit in range(asked.place.units):
            edit = Edit(place=asked.place, units=(unit,), values=values)
            after = _after(asked, edit, given[asked.place.name], inputs)
            changes.append(float(ablation_kl(before.preferences, after.preferences).mean()))
    return tuple(changes)


def carried_kl(asked: Asked, concepts: Sequence[str], bare: ObjectLess) -> tuple[float, ...]:
    """What of an object reaches the policy through one unit: nats a unit, NaN where not known.

    The policy's mean KL when a unit alone gives what it gives on the same steps with the object
    that it stands for erased from the screens, and everything else stays.

    Args:
        asked: policy, place and steps.
        concepts: one a unit: an object, or an attribute that begins with its name.
        bare: observations without each object.

    References:
        Vig et al. 2020, the indirect effect of one neuron, with erasing the object as the
        intervention and KL as its size.
    """
    names = [_object_of(concept, bare) for concept in concepts]
    if asked.refused or not any(names):
        return (float("nan"),) * asked.place.units
    paths = {name: object_path(asked, bare[name]) for name in set(names) if name}
    return tuple(
        paths[name].carried((unit,)) if name else float("nan") for unit, name in enumerate(names)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectPath:
    """What of one object reaches the policy through units of a place.

    ``seen``, ``bare``: what the place gives on the measured steps, as they are and without the
    object: [STEPS, C] or [STEPS, C, h, w]. ``before``: what the policy says of them as they are.
    ``erased``: nats, the policy's mean KL when it sees them without the object.
    """

    asked: Asked
    observation: Tensor
    state: Tensor | None
    seen: Tensor
    bare: Tensor
    before: PolicyOutput
    erased: float

    @torch.no_grad()
    def carried(self, units: Sequence[int]) -> float:
        """The policy's mean KL when these units alone give what they give without it, nats."""
        place = self.asked.place
        edit = Edit(place=place, units=tuple(units), operation="patch", values=self.bare)
        after = _after(self.asked, edit, self.seen, (self.observation, self.state))
        return float(ablation_kl(self.before.preferences, after.preferences).mean())


@torch.no_grad()
def object_path(asked: Asked, bare: np.ndarray) -> ObjectPath:
    """The way of one object through a place.

    Args:
        asked: policy, place and steps.
        bare: the measured steps without the object: float32 [STEPS, K, H, W].
    """
    rows, places = measured(len(asked.observations)), [asked.place]
    observation, state = _inputs(asked, asked.observations[rows], rows)
    before, seen = read_places(asked.policy, places, observation, state)
    after, without = read_places(asked.policy, places, _inputs(asked, bare, rows)[0], state)
    return ObjectPath(
        asked=asked,
        observation=observation,
        state=state,
        seen=seen[asked.place.name],
        bare=without[asked.place.name],
        before=before,
        erased=float(ablation_kl(before.preferences, after.preferences).mean()),
    )


def observations_without(recording: Recording, origins: np.ndarray) -> ObjectLess:
    """Observations of the measured steps with each object erased in every frame of the stack.

    Args:
        recording: of an Atari game; nothing is given for agents that see colour.
        origins: int64 [T, 2], episode and place in it.

    Raises:
        OutputMismatch: planes cannot be made again from the screens.
    """
    if recording.header.agent.observation.channels != 1:
        return {}
    objects = objects_of(recording)
    eraser = ObjectEraser(recording, objects)
    episodes = {episode.index: episode for episode in recording.episodes}
    sets = [1 << number for number in range(len(eraser.names))]
    stacks = [
        eraser.stack(episodes[int(index)], int(step), sets)
        for index, step in origins[measured(len(origins))]
    ]
    joined = np.stack(stacks, 1)
    groups = zip(objects.names, objects.finder.groups, strict=True)
    return {name: joined[eraser.names.index(group)] for name, group in groups}


def _after(
    asked: Asked, edit: Edit, given: Tensor, inputs: tuple[Tensor, Tensor | None]
) -> PolicyOutput:
    """What the policy says with a place edited, from what the place gives."""
    after = _resumed(asked, edit.apply(given), inputs[1])
    return EditedPolicy(asked.policy, [edit])(*inputs) if after is None else after


def _inputs(
    asked: Asked, observations: np.ndarray, rows: np.ndarray
) -> tuple[Tensor, Tensor | None]:
    device = next(asked.policy.parameters()).device
    state = None if asked.states is None else torch.from_numpy(asked.states[rows]).to(device)
    return torch.from_numpy(np.ascontiguousarray(observations)).to(device), state


def _resumed(asked: Asked, output: Tensor, state: Tensor | None) -> PolicyOutput | None:
    """What the policy says from a place on; None where it has to be asked as a whole."""
    chain, _, layer = asked.place.name.rpartition(".")
    if not isinstance(asked.policy, ChainPolicy) or not layer.isdigit():
        return None
    return asked.policy.resume(chain, int(layer), output, state)


def _object_of(concept: str, bare: ObjectLess) -> str:
    """The object that a concept is about: the longest name that it begins with; "" for none."""
    names = [name for name in bare if concept == name or concept.startswith(f"{name} ")]
    return max(names, key=len, default="")
