"""Steps of a recording as methods and metrics want them, and a method bound for them.

Shape letters: F frames, K planes, H W observation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.frames import recording_facts
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.recording import Episode, Recording

PAST_STEPS = 16
"""Steps over which another policy's memory is run along."""


def median_picture(recording: Recording) -> np.ndarray:
    """The median frame of a recording as the network sees frames: float32 [H, W], or [C, H, W]
    in colour.

    Raises:
        InvalidArgument: the recording holds no step yet.
    """
    if not sum(map(len, recording.episodes)):
        raise InvalidArgument(f"{recording.folder} holds no step yet: record an episode first.")
    facts = recording_facts(recording, Perturbation(reference="median"))
    return facts.pictures["median"]


def frames_of(
    episode: Episode, steps: Sequence[int] | np.ndarray, device: torch.device | str = "cpu"
) -> FrameBatch:
    """The given steps of an episode, with those before them.

    ``previous`` are the observations one step earlier; for a recurrent agent ``past`` are those
    of the last ``PAST_STEPS`` steps, the nearest first.
    """
    numbers = np.asarray(steps, np.int64)
    states = episode.states
    past = counts = None
    if states is not None:
        back = range(1, PAST_STEPS + 1)
        earlier = [_observations(episode, np.maximum(numbers - n, 0), device) for n in back]
        past = torch.stack(earlier, 1)
        starts = np.maximum.accumulate(np.where(episode.state_resets, np.arange(len(episode)), 0))
        counts = np.minimum(PAST_STEPS, numbers - starts[numbers])
    return FrameBatch(
        observations=_observations(episode, numbers, device),
        actions=torch.from_numpy(episode.actions[numbers]).to(device),
        states=None if states is None else torch.from_numpy(states[numbers].copy()).to(device),
        episodes=np.full(len(numbers), episode.index),
        steps=numbers,
        previous=_observations(episode, np.maximum(numbers - 1, 0), device),
        past=past,
        past_counts=counts,
    )


def joined(batches: Sequence[FrameBatch]) -> FrameBatch:
    """Several batches as one, in order."""

    def tensor(name: str) -> Tensor | None:
        parts = [getattr(batch, name) for batch in batches]
        return None if parts[0] is None else torch.cat(parts)

    observations, actions = tensor("observations"), tensor("actions")
    assert observations is not None
    assert actions is not None
    lists = [batch.past_counts for batch in batches if batch.past_counts is not None]
    counts = np.concatenate(lists) if lists else None
    return FrameBatch(
        observations=observations,
        actions=actions,
        states=tensor("states"),
        previous=tensor("previous"),
        past=tensor("past"),
        past_counts=counts,
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
        past=tensor(frames.past),
        past_counts=None if frames.past_counts is None else frames.past_counts[index],
        episodes=frames.episodes[index],
        steps=frames.steps[index],
    )


def bind(
    method: SaliencyMethod,
    policy: Policy,
    median: np.ndarray,
    compute: Compute,
    groups: tuple[tuple[int, ...], ...] | None = None,
) -> Explainer:
    """A method bound to a policy.

    Args:
        method: with its options.
        policy: on its device.
        median: float32 [H, W], in colour [C, H, W], the recording's median frame; it stands for
            the mean frame too.
        compute: threads, engine and memory.
        groups: actions that do the same.

    Raises:
        InvalidArgument: the method needs earlier steps, which a single state does not hold.
    """
    if method.past_steps:
        raise InvalidArgument(
            f"{type(method).__name__} hides earlier steps too: it makes no map of one state that "
            "could be measured."
        )
    facts = RecordingFacts(pictures={"median": median, "mean": median}, action_groups=groups)
    return method.bind(policy, compute, facts)


def _observations(episode: Episode, steps: np.ndarray, device: torch.device | str) -> Tensor:
    rows = np.stack([episode.observations[int(step)] for step in steps])
    return torch.from_numpy(rows).to(device)
