"""Grad-CAM on a policy's convolution chain, with the true centres of its features.

Shape letters: F frames, T targets, C channels, h w feature rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import ConvolutionTrunk, Policy
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
                "method 'grad-cam' needs a chain of convolutions that reads the observation, and "
                "this policy does not begin with one: use 'gradient' or 'integrated-gradients'."
            )
        depth = len(trunk.convolutions)
        if not -depth <= layer < depth:
            raise InvalidArgument(f"layer {layer}: expected {-depth} to {depth - 1}.")
        self._policy, self._trunk, self._layer = policy, trunk, layer % depth
        self.engine = f"autograd, features after convolution {self._layer + 1} of {depth}"
        self.targets = differentiable_targets(policy, asked, map_meaning)
        self.grid = feature_grid(trunk, self._layer, policy.observation_shape[1:])
        self._question = ask(policy, asked, facts)

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        with torch.no_grad():
            base = self._policy(frame.observations, frame.states)
            features = self._run(frame.observations, 0, self._layer + 1)
        action = self._question.explained(base, frame.actions)
        place, other = self._question.positions(base, action)
        maps = []
        with torch.enable_grad():
            features = features.detach().clone().requires_grad_(True)
            last = self._run(features, self._layer + 1, len(self._trunk.convolutions))
            output = self._policy.head(last, frame.states)
            for info in self.targets:
                total = differentiated_output(info.name, self._question, output, place, other).sum()
                weights = derivative(total, features).mean((2, 3), keepdim=True)
                maps.append((weights * features.detach()).sum(1)[0].relu())
        return MapBatch(torch.stack(maps).float()[None, :, None], action)

    def _run(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        for index in range(start, stop):
            hidden = self._trunk.activations[index](self._trunk.convolutions[index](hidden))
        return hidden


def feature_grid(trunk: ConvolutionTrunk, layer: int, observation: tuple[int, int]) -> GridSpec:
    """Where the features after a layer look: the centres of their receptive fields."""
    centres = []
    for axis, size in enumerate(observation):
        first, jump, count = 0.0, 1, size
        for convolution in trunk.convolutions[: layer + 1]:
            kernel, padding = convolution.kernel_size[axis], int(convolution.padding[axis])
            first += ((kernel - 1) / 2 - padding) * jump
            count = (count + 2 * padding - kernel) // convolution.stride[axis] + 1
            jump *= convolution.stride[axis]
        centres.append(tuple(first + jump * index for index in range(count)))
    return GridSpec(rows=centres[0], columns=centres[1], observation=observation)
