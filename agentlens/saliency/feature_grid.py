"""Where the features of a convolution look, for methods whose maps lie on them.

Shape letters: h w feature rows and columns.
"""

from __future__ import annotations

from agentlens.errors import InvalidArgument
from agentlens.policies.base import OBSERVATION_READ, Policy, Trunk, window_sides
from agentlens.spec import GridSpec


def chosen_convolution(policy: Policy, layer: int, method: str) -> tuple[Trunk, int]:
    """A policy's convolutions, and which of them is meant, counted from 0.

    Args:
        policy: begins with convolutions.
        layer: from 0; from -1 backwards.
        method: the name of the method that asks.

    Raises:
        InvalidArgument: no convolution reads the observation, or there is no such one.
    """
    trunk = policy.trunk()
    if trunk is None:
        raise InvalidArgument(
            f"method {method!r} needs convolutions that read the observation, and cannot be "
            f"used here: {policy.trunk_obstacle()}; use 'gradient' or 'integrated-gradients'."
        )
    depth = len(trunk.convolutions)
    if not -depth <= layer < depth:
        raise InvalidArgument(f"layer {layer}: expected {-depth} to {depth - 1}.")
    return trunk, layer % depth


def feature_grid(trunk: Trunk, step: int, observation: tuple[int, int]) -> GridSpec:
    """Where the features after a step look: the centres of their receptive fields.

    A sum lies where the first of what it adds lies.
    """
    path = [step]
    while path[0] != OBSERVATION_READ:
        path.insert(0, trunk.steps[path[0]].reads[0])
    centres = []
    for axis, size in enumerate(observation):
        first, jump, count = 0.0, 1, size
        for index in path[1:]:
            window = trunk.steps[index].window
            if window is None:
                continue
            kernel, stride, padding = (sides[axis] for sides in window_sides(window))
            first += ((kernel - 1) / 2 - padding) * jump
            count = (count + 2 * padding - kernel) // stride + 1
            jump *= stride
        centres.append(tuple(first + jump * index for index in range(count)))
    return GridSpec(rows=centres[0], columns=centres[1], observation=observation)
