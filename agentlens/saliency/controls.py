"""Maps that mean nothing, for measures to be held against."""

from __future__ import annotations

import numpy as np
import torch

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.masks import grid_centres
from agentlens.saliency.references import counted_generator
from agentlens.saliency.targets import TARGETS
from agentlens.spec import GridSpec


class RandomExplainer:
    """Uniform values on a grid; an ``Explainer``."""

    planes = ("all",)
    forward_passes = 0
    engine = "none: random"

    def __init__(self, policy: Policy, *, seed: int, stride: int) -> None:
        observation = policy.observation_shape[1:]
        rows, columns = (grid_centres(size, stride, "centred") for size in observation)
        self.targets = (TARGETS["random"],)
        self.grid = GridSpec(
            rows=tuple(map(float, rows)),
            columns=tuple(map(float, columns)),
            observation=observation,
        )
        self._seed = seed

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Draw F maps; see ``Explainer``."""
        values = [
            counted_generator(self._seed, episode, step).random(self.grid.shape, np.float32)
            for episode, step in zip(frames.episodes, frames.steps, strict=True)
        ]
        maps = torch.from_numpy(np.stack(values)).to(frames.observations.device)
        return MapBatch(maps[:, None, None], frames.actions)
