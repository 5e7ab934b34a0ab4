"""A recurrent policy without its memory, without its input, or without its last inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.references import Reference
from agentlens.saliency.variants import Situations


def memory_situations(
    policy: Policy, reference: Reference, pictures: Mapping[str, np.ndarray], last: int
) -> Situations:
    """No memory, no input, and from two on the last frames hidden as the policy went along.

    Args:
        policy: recurrent.
        reference: what hides a frame.
        pictures: those that the reference needs.
        last: the most frames hidden together, this one counted.

    Raises:
        InvalidArgument: the policy has no memory.
    """
    if policy.state_size == 0:
        raise InvalidArgument(
            "method 'memory' needs a recurrent agent and this one has no memory: "
            "method 'temporal' compares the frames of its stack."
        )

    def outputs(frame: FrameBatch) -> Sequence[PolicyOutput]:
        state = frame.states
        assert state is not None  # the policy is recurrent
        hidden = reference.fill(frame, pictures)
        changed = [policy(frame.observations, torch.zeros_like(state)), policy(hidden, state)]
        past = [reference.fill(_back(frame, back), pictures) for back in range(1, last)]
        for count in range(2, last + 1):
            reach = min(count - 1, int(_counts(frame)[0]))
            before: Tensor | None = state
            for back in range(reach, 0, -1):
                if back == reach:
                    before = _back(frame, back).states
                before = policy(past[back - 1], before).state
            changed.append(policy(hidden, before))
        return changed

    names = ("memory", "input", *(f"last {count}" for count in range(2, last + 1)))
    return Situations(names=names, passes=1 + last * (last + 1) // 2, outputs=outputs)


def _back(frame: FrameBatch, back: int) -> FrameBatch:
    """The frame so many steps earlier, as a batch of its own."""
    assert frame.past is not None  # the method asks for it
    assert frame.past_states is not None
    return dataclasses.replace(
        frame,
        observations=frame.past[:, back - 1],
        states=frame.past_states[:, back - 1],
        steps=frame.steps - back,
    )


def _counts(frame: FrameBatch) -> np.ndarray:
    assert frame.past_counts is not None  # comes with the past
    return frame.past_counts
