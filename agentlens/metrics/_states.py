"""The states that maps are judged on, and what the policy does there when pixels are erased.

Shape letters: F states, N rows, K planes, H W observation, A actions, R regions.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agentlens.metrics._recorded import part
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.references import blur, stacked

CHUNK = 64
"""Rows of a forward pass."""

BLOCKS = 7
"""Regions along each axis that are erased for causal ranks."""

BLUR_SIGMA = 8.0
"""Observation pixels: wide enough that a paddle or a ball is gone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class States:
    """Some states of a policy, with what erasing pixels there does, worked out once.

    ``frames``: of a recording. ``median``: float32 [H, W], its median plane, or
    [C, H, W] in colour. ``explained``: int64
    [F], the actions that curves follow.
    """

    policy: Policy
    frames: FrameBatch
    median: np.ndarray
    explained: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    def some(self, rows: Sequence[int] | np.ndarray) -> States:
        """Some of the states."""
        index = np.asarray(rows, np.int64)
        return dataclasses.replace(
            self, frames=part(self.frames, index), explained=self.explained[index]
        )

    @functools.cached_property
    def preferences(self) -> np.ndarray:
        """What the policy prefers with nothing erased: float64 [F, A]."""
        return self.evaluate(self.frames.observations, np.arange(len(self)))

    def fill(self, name: str) -> Tensor:
        """What replaces erased pixels: float32 [F, K, H, W].

        "median", "blur" (sigma 8), or "noise", uniform in [0, 1] and the same at every call.
        """
        observations = self.frames.observations
        if name == "noise":
            generator = torch.Generator().manual_seed(0)
            return torch.rand(observations.shape, generator=generator).to(observations)
        if name == "blur":
            return blur(observations, BLUR_SIGMA)
        return stacked("median", self.median, observations)

    def evaluate(self, observations: Tensor, rows: np.ndarray) -> np.ndarray:
        """The policy's preferences, each row with the memory of its state.

        Args:
            observations: float32 [N, K, H, W].
            rows: int64 [N], the state that each belongs to.

        Returns:
            float64 [N, A].
        """
        states = self.frames.states
        results = []
        with torch.inference_mode():
            for start in range(0, len(rows), CHUNK):
                chosen = rows[start : start + CHUNK]
                memory = None if states is None else states[torch.from_numpy(chosen)]
                output = self.policy(observations[start : start + CHUNK], memory)
                results.append(output.preferences.double().cpu().numpy())
        preferences: np.ndarray = np.concatenate(results)
        return preferences

    def erase(self, masks: np.ndarray, rows: np.ndarray, fill: str = "median") -> np.ndarray:
        """Preferences with pixels of every plane erased.

        Args:
            masks: [N, H, W] in [0, 1], 1 = erased.
            rows: int64 [N], the state that each belongs to.
            fill: what replaces them.

        Returns:
            float64 [N, A].
        """
        observations, reference = self.frames.observations, self.fill(fill)
        results = []
        for start in range(0, len(rows), CHUNK):
            index = torch.from_numpy(rows[start : start + CHUNK])
            own = observations[index]
            region = own.new_tensor(masks[start : start + CHUNK])[:, None]
            erased = own + region * (reference[index] - own)
            results.append(self.evaluate(erased, rows[start : start + CHUNK]))
        preferences: np.ndarray = np.concatenate(results)
        return preferences

    def effect(self, erased: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """How far erasing moved the policy: float64 [N].

        For logits the KL divergence in nats from the untouched choice; for Q-values, which are
        no probabilities, the root mean square change of the advantages Q - mean Q, in Q's unit.
        """
        base = self.preferences[rows]
        if self.policy.kind == "logits":
            return kl(base, erased)
        moved = (erased - erased.mean(-1, keepdims=True)) - (base - base.mean(-1, keepdims=True))
        size: np.ndarray = np.sqrt(np.square(moved).mean(-1))
        return size

    def support(self, preferences: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """How much the policy wants the explained action: float64 [N].

        Its probability for logits; for Q-values its advantage Q(a) - mean Q, in Q's unit: nothing
        is divided by a Q-value that could be near 0.
        """
        own = preferences[np.arange(len(rows)), self.explained[rows]]
        if self.policy.kind != "logits":
            advantage: np.ndarray = own - preferences.mean(-1)
            return advantage
        top = preferences.max(-1, keepdims=True)
        share: np.ndarray = np.exp(own - top[:, 0]) / np.exp(preferences - top).sum(-1)
        return share

    @functools.cached_property
    def blocks(self) -> np.ndarray:
        """The regions of a coarse grid over the observation: float32 [R, H, W], 1 inside."""
        height, width = self.frames.observations.shape[-2:]
        rows = np.arange(height) * BLOCKS // height
        columns = np.arange(width) * BLOCKS // width
        numbers = rows[:, None] * BLOCKS + columns[None]
        inside: np.ndarray = np.arange(BLOCKS * BLOCKS)[:, None, None] == numbers
        return inside.astype(np.float32)

    @functools.cached_property
    def block_effects(self) -> np.ndarray:
        """What erasing each region does to the policy: float64 [F, R]."""
        count = len(self.blocks)
        rows = np.repeat(np.arange(len(self)), count)
        masks = np.broadcast_to(self.blocks, (len(self), *self.blocks.shape))
        erased = self.erase(masks.reshape(-1, *self.blocks.shape[1:]), rows)
        return self.effect(erased, rows).reshape(len(self), count)


def kl(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """KL divergence in nats between the softmaxes of logits [..., A], never negative."""
    weights = np.exp(first - first.max(-1, keepdims=True))
    shares = weights / weights.sum(-1, keepdims=True)
    difference = second - first
    difference = difference - (shares * difference).sum(-1, keepdims=True)
    divergence: np.ndarray = np.log1p((shares * (np.expm1(difference) - difference)).sum(-1))
    return divergence
