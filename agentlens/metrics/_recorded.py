"""Steps of a recording as methods and metrics want them, and a method bound for them.

Shape letters: F frames, K planes, H W observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from agentlens.arrays import scale_planes
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.store.recording import Episode, Recording

PICTURE_PLANES = 256
"""The median picture of a recording is taken over this many steps, evenly spread."""


def median_picture(recording: Recording) -> np.ndarray:
    """The median plane of a recording as the network sees planes: float32 [H, W]."""
    total = sum(map(len, recording.episodes))
    every = max(1, -(-total // PICTURE_PLANES))
    planes = [
        episode.planes[step]
        for episode in recording.episodes
        for step in range(0, len(episode), every)
    ]
    if not planes:
        raise InvalidArgument(f"{recording.folder} holds no step yet: record an episode first.")
    picture = np.median(np.stack(planes).astype(np.float32), 0)
    divisor = recording.header.agent.observation.scale_divisor
    return scale_planes(picture.astype(np.float32), divisor)


def frames_of(
    episode: Episode, steps: Sequence[int] | np.ndarray, device: torch.device | str = "cpu"
) -> FrameBatch:
    """The given steps of an episode, with the observations one step earlier."""
    numbers = np.asarray(steps, np.int64)
    states = episode.states
    return FrameBatch(
        observations=_observations(episode, numbers, device),
        actions=torch.from_numpy(episode.actions[numbers]).to(device),
        states=None if states is None else torch.from_numpy(states[numbers].copy()).to(device),
        episodes=np.full(len(numbers), episode.index),
        steps=numbers,
        previous=_observations(episode, np.maximum(numbers - 1, 0), device),
    )


def joined(batches: Sequence[FrameBatch]) -> FrameBatch:
    """Several batches as one, in order."""

    def tensor(name: str) -> Tensor | None:
        parts = [getattr(batch, name) for batch in batches]
        return None if parts[0] is None else torch.cat(parts)

    observations, actions = tensor("observations"), tensor("actions")
    assert observations is not None
    assert actions is not None
    return FrameBatch(
        observations=observations,
        actions=actions,
        states=tensor("states"),
        previous=tensor("previous"),
        episodes=np.concatenate([batch.episodes for batch in batches]),
        steps=np.concatenate([batch.steps for batch in batches]),
    )


def part(frames: FrameBatch, rows: Sequence[int] | np.ndarray) -> FrameBatch:
    """Some rows of a batch, in the order given."""
    index = np.asarray(rows, np.int64)
    chosen = torch.from_numpy(index).to(frames.observations.device)

    def tensor(values: Tensor | None) -> Tensor | None:
        return None if values is None else values[chosen]

    return dataclasses.replace(
        frames,
        observations=frames.observations[chosen],
        actions=frames.actions[chosen],
        states=tensor(frames.states),
        previous=tensor(frames.previous),
        episodes=frames.episodes[index],
        steps=frames.steps[index],
    )


def bind(
    method: SaliencyMethod, policy: Policy, pictures: Mapping[str, np.ndarray], threads: int = 1
) -> Explainer:
    """A method bound to a policy.

    Raises:
        InvalidArgument: the method needs earlier steps, which a single state does not hold.
    """
    if method.past_steps:
        raise InvalidArgument(
            f"{type(method).__name__} hides earlier steps too: it makes no map of one state that "
            "could be measured."
        )
    return method.bind(policy, Compute(threads=threads), RecordingFacts(pictures=pictures))


def _observations(episode: Episode, steps: np.ndarray, device: torch.device | str) -> Tensor:
    rows = np.stack([episode.observations[int(step)] for step in steps])
    return torch.from_numpy(rows).to(device)
