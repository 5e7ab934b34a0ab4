"""Grad-CAM on a policy's convolution chain, with the true centres of its features.

Shape letters: F frames, T targets, C channels, h w feature rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.feature_grid import chosen_convolution, feature_grid
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.gradients import (
    MapMeaning,
    derivative,
    differentiable_targets,
)
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.question import ask, differentiated_output


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
        trunk, layer = chosen_convolution(policy, layer, "grad-cam")
        self._policy, self._trunk = policy, trunk
        self._step = trunk.convolutions[layer]
        depth = len(trunk.convolutions)
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
