"""Grad-CAM on a policy's convolution chain, with the true centres of its features.

Shape letters: F frames, T targets, C channels, h w feature rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import OBSERVATION_READ, Policy, Trunk, window_sides
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.gradients import (
    MapMeaning,
    derivative,
    differentiable_targets,
)
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.question import ask, differentiated_output
from agentlens.spec import GridSpec


class GradCamExplainer:
    """Channel-weighted activations of one convolution layer; an ``Explainer``."""

    planes = ("all",)
    forward_passes = 3

    def __init__(
        self,
        policy: Policy,
        facts: RecordingFacts,
        asked: AskedOptions,
        map_meaning: MapMeaning,
        *,
        layer: int,
    ) -> None:
        trunk = policy.trunk()
        if trunk is None:
            raise InvalidArgument(
                "method 'grad-cam' needs convolutions that read the observation, and cannot be "
                f"used here: {policy.trunk_obstacle()}; use 'gradient' or 'integrated-gradients'."
            )
        depth = len(trunk.convolutions)
        if not -depth <= layer < depth:
            raise InvalidArgument(f"layer {layer}: expected {-depth} to {depth - 1}.")
        self._policy, self._trunk, layer = policy, trunk, layer % depth
        self._step = trunk.convolutions[layer]
        self.engine = f"autograd, features after convolution {layer + 1} of {depth}"
        self.targets = differentiable_targets(policy, asked, map_meaning)
        self.grid = feature_grid(trunk, self._step, policy.observation_shape[1:])
        self._question = ask(policy, asked, facts)

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        with torch.no_grad():
            base = self._policy(frame.observations, frame.states)
            outputs: list[Tensor] = []
            self._trunk.extend(outputs, frame.observations, self._step + 1)
        action = self._question.explained(base, frame.actions)
        place, other = self._question.positions(base, action)
        maps = []
        with torch.enable_grad():
            features = outputs[-1] = outputs[-1].clone().requires_grad_(True)
            self._trunk.extend(outputs, frame.observations)
            output = self._policy.head(outputs[-1], frame.states)
            for info in self.targets:
                total = differentiated_output(info.name, self._question, output, place, other).sum()
                weights = derivative(total, features).mean((2, 3), keepdim=True)
                maps.append((weights * features.detach()).sum(1)[0].relu())
        return MapBatch(torch.stack(maps).float()[None, :, None], action)


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
