"""What a recording gives an explainer: batches of its steps, and pictures of the whole of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from agentlens.arrays import scale_planes
from agentlens.envs.alike import merge_groups
from agentlens.errors import OutputMismatch
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.engine.settings import device_of
from agentlens.store.recording import Episode, Recording

PICTURE_PLANES = 256
"""A recording's median and mean pictures are taken over this many steps, evenly spread."""


NO_PICTURES = frozenset({"previous", "objects"})
"""What a method may need of a recording that is not a picture of the whole of it."""


def recording_facts(recording: Recording, method: SaliencyMethod) -> RecordingFacts:
    """The pictures that a method needs, and which actions do the same in the recording's game."""
    spec = recording.header.agent
    return RecordingFacts(
        pictures={kind: _picture(recording, kind) for kind in method.pictures - NO_PICTURES},
        action_groups=merge_groups(spec.environment.game, spec.action.meanings),
    )


def _picture(recording: Recording, kind: str) -> np.ndarray:
    """The median or mean frame of a recording as the network sees it, float32 [H, W], in colour
    [C, H, W]; or, as "frames", some of its observations [N, K, H, W]."""
    total = sum(map(len, recording.episodes))
    every = max(1, -(-total // PICTURE_PLANES))
    if kind == "frames":
        return np.concatenate(
            [
                episode.observations[step : step + 1]
                for episode in recording.episodes
                for step in range(0, len(episode), every)
            ]
        )
    planes = [
        episode.planes[step]
        for episode in recording.episodes
        for step in range(0, len(episode), every)
    ]
    stacked = np.stack(planes).astype(np.float32)
    picture = np.median(stacked, 0) if kind == "median" else stacked.mean(0)
    divisor = recording.header.agent.observation.scale_divisor
    return scale_planes(picture.astype(np.float32), divisor)


def read_frames(
    episode: Episode, steps: np.ndarray, policy: Policy, method: SaliencyMethod
) -> FrameBatch:
    """The given steps of an episode on the policy's device, with what the method needs beside.

    Args:
        episode: of the recording that is explained.
        steps: int64 [n], ascending.
        policy: that played.
        method: asks for the previous observations, or for steps further back.

    Raises:
        OutputMismatch: the recording has a recurrent state and the policy none, or the reverse.
    """
    device = device_of(policy)
    states = episode.states
    if (states is None) != (policy.state_size == 0):
        raise OutputMismatch(
            f"episode {episode.index}: the recording has "
            f"{'no' if states is None else 'a'} recurrent state and the agent "
            f"{'needs one' if states is None else 'has none'}: it is another agent's."
        )
    previous = None
    if "previous" in method.pictures:
        previous = _tensor(_rows(episode, np.maximum(steps - 1, 0)), device)
    frames = FrameBatch(
        observations=_tensor(_rows(episode, steps), device),
        actions=_tensor(episode.actions[steps], device),
        states=None if states is None else _tensor(states[steps], device),
        episodes=np.full(len(steps), episode.index),
        steps=steps,
        previous=previous,
    )
    return _with_past(frames, episode, method.past_steps)


def _with_past(frames: FrameBatch, episode: Episode, count: int) -> FrameBatch:
    """The frames with ``count`` earlier steps each; as they are where none are asked for."""
    if count == 0 or episode.states is None:
        return frames
    numbers, device = np.arange(len(episode)), frames.observations.device
    starts = np.maximum.accumulate(np.where(episode.state_resets, numbers, 0))
    back = [np.maximum(frames.steps - distance, 0) for distance in range(1, count + 1)]
    return dataclasses.replace(
        frames,
        past=torch.stack([_tensor(_rows(episode, steps), device) for steps in back], 1),
        past_states=torch.stack([_tensor(episode.states[steps], device) for steps in back], 1),
        past_counts=np.minimum(count, frames.steps - starts[frames.steps]),
    )


def _rows(episode: Episode, steps: np.ndarray) -> np.ndarray:
    """Observations of ascending steps, read in runs: float32 [n, K, H, W]."""
    breaks = np.flatnonzero(np.diff(steps) != 1) + 1
    runs = np.split(steps, breaks)
    return np.concatenate([episode.observations[int(r[0]) : int(r[-1]) + 1] for r in runs])


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
