"""Two neighbouring frames of the stack in each other's place."""

from __future__ import annotations

from collections.abc import Sequence

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.variants import Situations


def swap_situations(policy: Policy) -> Situations:
    """Each frame of the stack but the oldest, swapped with its older neighbour."""
    channels = policy.channels
    stack = policy.observation_shape[0] // channels

    def outputs(frame: FrameBatch) -> Sequence[PolicyOutput]:
        changed = []
        for newer in range(1, stack):
            order = list(range(stack))
            order[newer - 1 : newer + 1] = [newer, newer - 1]
            planes = [k * channels + c for k in order for c in range(channels)]
            changed.append(policy(frame.observations[:, planes], frame.states))
        return changed

    names = tuple(f"planes {newer - 1} and {newer}" for newer in range(1, stack))
    return Situations(names=names, passes=stack - 1, outputs=outputs)
