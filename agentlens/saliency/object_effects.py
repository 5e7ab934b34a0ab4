"""What erasing objects does to a policy: one by one, and as exact shares of the whole.

Shape letters: F frames, N objects, C sets of objects, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.coalitions import CoalitionPlan, plan_coalitions, shapley_interactions
from agentlens.saliency.engine.settings import device_of, dtype_of, exact_float32
from agentlens.saliency.erasable import ErasableFrames
from agentlens.saliency.question import Question, differentiated_output, score_change

POLICY = "kl"
"""The output that stands for the policy as a whole: a coalition is worth minus the KL divergence
between the policy that sees everything and the one that sees the coalition alone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectEffects:
    """The effects of N objects on F steps; 0 for an object that is in no frame of the stack.

    ``visible``: bool [F, N]. ``erasure``: by score, float64 [F, N], what erasing the object alone
    does. ``shares``, ``errors``: by output, float64 [F, N], Shapley values of what all objects
    together do, and their standard errors. ``interactions``: by output, float64 [F, N, N], NaN
    where shares were sampled. ``outputs``: of the unchanged observations. ``explained``: int64
    [F]. ``passes``: int64 [F], forward passes spent.
    """

    names: tuple[str, ...]
    visible: np.ndarray
    erasure: Mapping[str, np.ndarray]
    shares: Mapping[str, np.ndarray]
    errors: Mapping[str, np.ndarray]
    interactions: Mapping[str, np.ndarray]
    preferences: np.ndarray
    explained: np.ndarray
    passes: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectGame:
    """Objects as players of a game whose outcome is what the policy says.

    ``scores``: of single erasures (``targets.TARGETS``). ``outputs``: what is shared among the
    objects (``POLICY`` or ``targets.DIFFERENTIABLE_TARGETS``); with none, objects are erased one by
    one only.
    ``orders``, ``seed``: of sampled shares, for more than eight objects in sight.

    Notes:
        N + 1 forward passes a step, 2^N with shares of up to eight objects in sight, at most
        ``orders`` (N - 1) + N + 2 for more. A step's passes are one batch, so its numbers do not
        depend on its company.
    """

    policy: Policy
    question: Question
    scores: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    orders: int = 16
    seed: int = 0

    @torch.inference_mode()
    def __call__(self, frames: FrameBatch, objects: ErasableFrames) -> ObjectEffects:
        """Play the game of every step.

        Args:
            frames: F steps.
            objects: the same steps, erasable.
        """
        count, names = len(frames), objects.names
        visible = objects.visible
        erasure = {name: np.zeros((count, len(names))) for name in self.scores}
        shares = {name: np.zeros((count, len(names))) for name in self.outputs}
        errors = {name: np.zeros((count, len(names))) for name in self.outputs}
        pairs = {name: np.zeros((count, len(names), len(names))) for name in self.outputs}
        preferences, explained, passes = [], [], []
        for frame in range(count):
            players = np.flatnonzero(visible[frame])
            plan = None
            if self.outputs and len(players):
                plan = plan_coalitions(len(players), orders=self.orders, seed=self.seed)
            sets = _sets_to_erase(players, plan)
            outputs = self.erased_outputs(frames, frame, objects.erased(frame, sets))
            base = _rows(outputs, slice(0, 1))
            action = self.question.explained(base, frames.actions[frame : frame + 1])
            explained.append(action)
            preferences.append(base.preferences)
            passes.append(len(sets))
            singles = [sets.index(1 << int(player)) for player in players]
            for name in self.scores:
                scored = self._scored(name, base, _rows(outputs, singles), action)
                erasure[name][frame, players] = scored
            if plan is None:
                continue
            for name in self.outputs:
                values = self._values(name, base, outputs, action)
                values = values[:, [sets.index(s) for s in _erased(players, plan)]]
                estimate = plan.shares(values)
                shares[name][frame, players] = estimate.values[0]
                errors[name][frame, players] = estimate.errors[0]
                matrix = shapley_interactions(values)[0] if plan.exact else np.nan
                pairs[name][frame][np.ix_(players, players)] = matrix
        return ObjectEffects(
            names=names,
            visible=visible,
            erasure=erasure,
            shares=shares,
            errors=errors,
            interactions=pairs,
            preferences=torch.cat(preferences).cpu().numpy(),
            explained=torch.cat(explained).cpu().numpy(),
            passes=np.array(passes, np.int64),
        )

    @torch.inference_mode()
    def score_changes(
        self, frames: FrameBatch, frame: int, observations: np.ndarray
    ) -> tuple[dict[str, np.ndarray], Tensor]:
        """Every score of changed observations of one step, and the explained action, int64 [1].

        Args:
            frames: the steps.
            frame: which of them.
            observations: float32 [C, K, H, W], the first unchanged.

        Returns:
            float64 [C - 1] by score, one for each observation but the first.
        """
        outputs = self.erased_outputs(frames, frame, observations)
        base, rows = _rows(outputs, slice(0, 1)), _rows(outputs, slice(1, None))
        action = self.question.explained(base, frames.actions[frame : frame + 1])
        return {name: self._scored(name, base, rows, action) for name in self.scores}, action

    def erased_outputs(
        self, frames: FrameBatch, frame: int, observations: np.ndarray
    ) -> PolicyOutput:
        """What the policy says about changed observations of a step: [C, K, H, W], the first
        unchanged.

        Where an observation is as the first, so are its outputs, to the last bit.
        """
        device = device_of(self.policy)
        same = (observations == observations[:1]).all((1, 2, 3))
        batch = torch.from_numpy(np.ascontiguousarray(observations))
        batch = batch.to(device, dtype_of(self.policy))
        state = None
        if frames.states is not None:
            state = frames.states[frame : frame + 1].expand(len(batch), -1)
        with exact_float32():
            output = self.policy(batch, state)
        rows = torch.from_numpy(np.where(same, 0, np.arange(len(same)))).to(device)
        value = None if output.value is None else output.value[rows]
        return PolicyOutput(output.preferences[rows], output.kind, value)

    def _scored(
        self, name: str, base: PolicyOutput, rows: PolicyOutput, action: Tensor
    ) -> np.ndarray:
        """A score of every row against the base: float64 [C]."""
        value = None if rows.value is None else rows.value[None, None]
        changed = PolicyOutput(rows.preferences[None, None], rows.kind, value)
        scored = score_change(name, self.question, base, changed, action)
        return scored[0, 0].cpu().double().numpy()

    def _values(
        self, name: str, base: PolicyOutput, rows: PolicyOutput, action: Tensor
    ) -> np.ndarray:
        """What a coalition is worth, of every row: float64 [1, C]."""
        if name == POLICY:
            return -self._scored("kl", base, rows, action)[None]
        places = self.question.positions(base, action)
        own, other = (place.expand(len(rows.preferences)) for place in places)
        values = differentiated_output(name, self.question, rows, own, other)
        return values[None].cpu().double().numpy()


def _sets_to_erase(players: np.ndarray, plan: CoalitionPlan | None) -> list[int]:
    """Every set of objects to erase, each once: nothing first, then single ones and coalitions."""
    singles = [1 << int(player) for player in players]
    coalitions = [] if plan is None else _erased(players, plan)
    return list(dict.fromkeys([0, *singles, *coalitions]))


def _erased(players: np.ndarray, plan: CoalitionPlan) -> list[int]:
    """Of every coalition, the players in sight that are not in it."""
    return [
        sum(1 << int(player) for at, player in enumerate(players) if not int(coalition) >> at & 1)
        for coalition in plan.coalitions
    ]


def _rows(output: PolicyOutput, at: slice | Sequence[int]) -> PolicyOutput:
    value = None if output.value is None else output.value[at]
    return PolicyOutput(output.preferences[at], output.kind, value)
