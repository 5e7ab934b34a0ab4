"""Methods that explain one frame at a time: the loop that they share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.engine.settings import device_of, dtype_of, exact_float32


def frame_by_frame(
    frames: FrameBatch, policy: Policy, explain: Callable[[FrameBatch], MapBatch]
) -> MapBatch:
    """The maps of all frames, each explained as a batch of its own."""
    with exact_float32():
        parts = [explain(single_frame(frames, index, policy)) for index in range(len(frames))]
    return MapBatch(
        torch.cat([part.values for part in parts]),
        torch.cat([part.explained_actions for part in parts]),
        sum(part.halvings for part in parts),
        None if parts[0].gaps is None else torch.cat([p.gaps for p in parts if p.gaps is not None]),
    )


def single_frame(frames: FrameBatch, index: int, policy: Policy) -> FrameBatch:
    """One frame as a batch of its own, in the policy's place and precision, free for autograd."""
    at = slice(index, index + 1)
    place, dtype = device_of(policy), dtype_of(policy)

    def moved(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[at].clone().to(place, dtype)

    return dataclasses.replace(
        frames,
        observations=frames.observations[at].clone().to(place, dtype),
        actions=frames.actions[at],
        states=moved(frames.states),
        previous=moved(frames.previous),
        past=moved(frames.past),
        past_states=moved(frames.past_states),
        past_counts=None if frames.past_counts is None else frames.past_counts[at],
        episodes=frames.episodes[at],
        steps=frames.steps[at],
        objects=None if frames.objects is None else frames.objects[at],
    )
