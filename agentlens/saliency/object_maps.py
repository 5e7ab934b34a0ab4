"""Effects of objects as maps: each painted on the pixels of the observation that it changes.

Shape letters: F frames, T targets, P plane selections, N objects, K planes, H W observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import check_targets
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.erasable import ErasableFrames
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.object_effects import POLICY, ObjectGame
from agentlens.saliency.question import ask
from agentlens.saliency.targets import (
    DIFFERENTIABLE_TARGETS,
    default_differentiable,
    default_targets,
)
from agentlens.spec import GridSpec, TargetInfo

if TYPE_CHECKING:
    from agentlens.saliency.methods.objects import Objects

_ENERGY = "energy"


class ObjectExplainer:
    """Objects erased one by one, or shared; an ``Explainer`` on the grid of the observation.

    Where the pixels of several objects overlap, the largest value is painted.
    """

    engine = "batches of whole observations, one a step"

    def __init__(self, policy: Policy, facts: RecordingFacts, options: Objects) -> None:
        """Prepare for one policy.

        Raises:
            InvalidArgument, UnknownName: targets that this policy or shares do not allow.
        """
        self.targets = _described(policy, options)
        self._names = [info.name for info in self.targets]
        self.planes, self._selections = plane_selections(
            options.planes, policy.observation_shape[0], policy.channels
        )
        rows, columns = policy.observation_shape[1:]
        self.grid = GridSpec(
            rows=tuple(map(float, range(rows))),
            columns=tuple(map(float, range(columns))),
            observation=(rows, columns),
        )
        count, shared = len(facts.object_names), options.shares
        self.forward_passes = 1 + count * len(self.planes)
        if shared:
            self.forward_passes = 1 << count if count <= 8 else options.orders * count
        self._shared = shared
        self._game = ObjectGame(
            policy=policy,
            question=ask(policy, options, facts),
            scores=() if shared else tuple(n for n in self._names if n != _ENERGY),
            outputs=tuple(self._names) if shared else (),
            orders=options.orders,
            seed=options.seed,
        )

    @torch.inference_mode()
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``.

        Raises:
            InvalidArgument: the steps come without objects.
        """
        if frames.objects is None:
            raise InvalidArgument(
                "method 'objects' needs the screens of a recording, and these steps come alone."
            )
        maps, explained = [], []
        for frame in range(len(frames)):
            at = slice(frame, frame + 1)
            changes, action = self._step(_one(frames, at), frames.objects[at])
            maps.append(changes)
            explained.append(action)
        values = torch.from_numpy(np.stack(maps)).to(frames.observations.device)
        return MapBatch(values, torch.cat(explained))

    def _step(self, frame: FrameBatch, objects: ErasableFrames) -> tuple[np.ndarray, Tensor]:
        """One step's maps, float32 [T, P, H, W], and its explained action."""
        players = np.flatnonzero(objects.visible[0])
        observations = objects.erased(0, [0, *(1 << int(player) for player in players)])
        base, erased = observations[0], observations[1:]
        mixed = np.repeat(base[None, None], len(self._selections), 0)
        mixed = np.repeat(mixed, len(erased), 1)
        for selection, planes in enumerate(self._selections):
            mixed[selection][:, list(planes)] = erased[:, list(planes)]
        changed = mixed != base
        values, action = self._values(frame, objects, players, base, mixed)
        return _painted(values, changed.any(2)), action

    def _values(
        self,
        frame: FrameBatch,
        objects: ErasableFrames,
        players: np.ndarray,
        base: np.ndarray,
        mixed: np.ndarray,
    ) -> tuple[np.ndarray, Tensor]:
        """Every target's value of every object: float64 [T, P, N in sight]."""
        if self._shared:
            effects = self._game(frame, objects)
            shares = [effects.shares[name][0, players] for name in self._names]
            action = torch.from_numpy(effects.explained).to(frame.actions.device)
            return np.stack(shares)[:, None], action
        rows = np.concatenate([base[None], mixed.reshape(-1, *base.shape)])
        changes, action = self._game.score_changes(frame, 0, rows)
        changes[_ENERGY] = np.square(rows[1:].astype(np.float64) - base).sum((1, 2, 3))
        values = [changes[name].reshape(mixed.shape[:2]) for name in self._names]
        return np.stack(values), action


def _described(policy: Policy, options: Objects) -> tuple[TargetInfo, ...]:
    """The descriptions of the targets, once it is clear that they can be had."""
    wanted: Sequence[str] | None = options.targets
    if wanted is None:
        own = default_differentiable if options.shares else default_targets
        wanted = own(policy.kind, policy.has_value)
    infos = check_targets(wanted, policy.kind, policy.has_value, options.temperature)
    if not options.shares:
        return infos
    for info in infos:
        if info.name not in {POLICY, *DIFFERENTIABLE_TARGETS}:
            raise InvalidArgument(
                f"target {info.name!r} cannot be shared among objects: use "
                f"{', '.join(sorted({POLICY, *DIFFERENTIABLE_TARGETS}))}."
            )
    meaning = "this object's part of what all objects together do (Shapley value)"
    return tuple(
        dataclasses.replace(info, signed=True, display="identity", meaning=meaning)
        for info in infos
    )


def _painted(values: np.ndarray, changed: np.ndarray) -> np.ndarray:
    """Values [T, P, N] on the changed pixels [P, N, H, W]: float32 [T, P, H, W]."""
    maps = np.zeros((*values.shape[:2], *changed.shape[2:]))
    for player in range(values.shape[2]):
        painted = np.where(changed[None, :, player], values[:, :, player, None, None], 0.0)
        larger = np.abs(painted) > np.abs(maps)
        maps[larger] = painted[larger]
    return maps.astype(np.float32)


def _one(frames: FrameBatch, at: slice) -> FrameBatch:
    states = None if frames.states is None else frames.states[at]
    return FrameBatch(
        observations=frames.observations[at],
        actions=frames.actions[at],
        states=states,
        episodes=frames.episodes[at],
        steps=frames.steps[at],
    )
