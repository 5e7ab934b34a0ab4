"""An agent on some steps of its recording, beside its untrained twin: what looks inside needs.

Shape letters: T steps, C units of a place, A actions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.network.edits import Edit, EditedPolicy
from agentlens.network.places import Place, find_place
from agentlens.network.taps import CHUNK, tap
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.dissect import SampledSteps, sample_steps
from agentlens.workflows.untrained import own_states, untrained_twin

LEARNED_SHARE = 0.8
"""The first steps, from which something is learned; figures are of the rest."""

MOST_LEARNED = 2000
"""Steps at most that something is learned and measured on."""

LEAST_STEPS = 25
"""Steps with an object in sight, fewer of which show nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inside:
    """An agent, the same network untrained, and sampled steps of a recording.

    ``preferences``: float32 [T, A], the policy's logits on the steps.
    """

    recording: Recording
    agent: Agent
    twin: Policy
    steps: SampledSteps
    preferences: np.ndarray

    @property
    def learned(self) -> slice:
        """The steps that something is learned from."""
        return slice(0, int(LEARNED_SHARE * len(self.preferences)))

    @property
    def held(self) -> slice:
        """The steps after them, which figures are of."""
        return slice(self.learned.stop, len(self.preferences))

    def vector_place(self, name: str) -> Place:
        """The place of this name, which must be a vector or memory.

        Raises:
            UnknownName, InvalidArgument: no such place, or a spatial one.
        """
        place = find_place(self.agent.policy, name)
        if place.kind == "spatial":
            raise InvalidArgument(
                f"place {name!r} is spatial ({' x '.join(map(str, place.shape))}): expected a "
                "vector or memory; agentlens network AGENT lists them."
            )
        return place

    def layer(self, place: Place, *, untrained: bool = False) -> np.ndarray:
        """What a place gives on the steps: float32 [T, C] or [T, C, h, w]."""
        policy = self.twin if untrained else self.agent.policy
        states = self._twin_states if untrained else self.steps.states
        values = tap(policy, [place], self.steps.observations, states)
        return values[place.name].astype(np.float32)

    @functools.cached_property
    def _twin_states(self) -> np.ndarray | None:
        """The untrained network's own memory before the steps: float32 [T, S]."""
        return own_states(self.twin, self.recording, self.steps.origins)


def look_inside(
    recording: Recording | Path | str, *, compute: Compute, most: int, agent: Agent | None = None
) -> Inside:
    """Load a recording's agent, make its untrained twin and sample steps.

    Args:
        recording: or its folder, of an Atari game.
        compute: where.
        most: steps at most, evenly spread over those with an object in sight.
        agent: another copy of the recording's own.

    Raises:
        InvalidArgument: the network is not declared, it has no logits, or too few steps show an
            object.
    """
    recording = open_recording(recording)
    agent = recorded_agent(recording, agent, device=compute.device)
    policy, twin = agent.policy, untrained_twin(agent)
    if policy.kind != "logits":
        raise InvalidArgument(
            f"this agent gives {policy.kind}: expected logits, as the change of a policy is "
            "measured as KL of action probabilities."
        )
    steps = sample_steps(recording, most)
    if len(steps.observations) < LEAST_STEPS:
        raise InvalidArgument(
            f"{len(steps.observations)} steps show an object, expected {LEAST_STEPS} or more: "
            "record a longer game."
        )
    return Inside(
        recording=recording,
        agent=agent,
        twin=twin,
        steps=steps,
        preferences=preferences_of(policy, steps, slice(None)),
    )


def living_units(inside: Inside, place: Place) -> np.ndarray:
    """The units of a place that ever change on the steps: int64; editing others does nothing."""
    layer = inside.layer(place)
    flat = np.moveaxis(layer, 1, 0).reshape(layer.shape[1], -1)
    return np.flatnonzero(flat.max(1) > flat.min(1))


@torch.no_grad()
def preferences_of(policy: Policy, steps: SampledSteps, rows: slice) -> np.ndarray:
    """A policy's preferences on some of the steps: float32 [rows, A]."""
    device = next(policy.parameters()).device
    states = None if steps.states is None else steps.states[rows]
    observations, parts = steps.observations[rows], []
    for start in range(0, len(observations), CHUNK):
        part = slice(start, start + CHUNK)
        state = None if states is None else torch.from_numpy(states[part]).to(device)
        observation = torch.from_numpy(observations[part]).to(device)
        parts.append(policy(observation, state).preferences.float().cpu().numpy())
    return np.concatenate(parts)


def patched_preferences(inside: Inside, place: Place, values: np.ndarray) -> np.ndarray | None:
    """The policy's preferences on the held steps with a place's values put in: float32 [T, A].

    Args:
        inside: the agent and its steps.
        place: where.
        values: [T, C], a row for each held step.

    Returns:
        None for memory: what is put there is read at the next step only.
    """
    if place.kind == "memory":
        return None
    units, parts = tuple(range(place.units)), []
    edited = EditedPolicy(inside.agent.policy, [])
    for start in range(0, len(values), CHUNK):
        part = torch.from_numpy(values[start : start + CHUNK].astype(np.float32))
        edited.edits = (Edit(place=place, units=units, operation="patch", values=part),)
        first = inside.held.start + start
        parts.append(preferences_of(edited, inside.steps, slice(first, first + len(part))))
    return np.concatenate(parts)
