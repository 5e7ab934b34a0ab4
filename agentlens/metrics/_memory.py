"""The memory that another policy would have in a state: run along over the steps before it.

Shape letters: F states, N steps before, K planes, H W observation, S recurrent state.
"""

from __future__ import annotations

import dataclasses

import torch

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch


def with_own_memory(policy: Policy, frames: FrameBatch) -> FrameBatch:
    """The frames with the policy's own memory of the steps before, where they are known.

    Args:
        policy: another one than the recorded, with the same state size.
        frames: with ``past`` [F, N, K, H, W], the nearest step first, for a recurrent policy.

    Returns:
        The same frames; ``states`` is what the policy's memory holds after it began empty N steps
        before, or after the last reset.
    """
    if policy.state_size == 0 or frames.past is None or frames.past_counts is None:
        return frames
    count, longest = frames.past.shape[:2]
    states = policy.initial_state(count)
    assert states is not None  # it has a size
    reach = torch.from_numpy(frames.past_counts.copy()).to(states.device)
    with torch.inference_mode():
        for back in range(longest, 0, -1):
            after = policy(frames.past[:, back - 1], states).state
            assert after is not None  # a recurrent policy gives one
            states = torch.where((back <= reach)[:, None], after, states)
    return dataclasses.replace(frames, states=states.clone())
