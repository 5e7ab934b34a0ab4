"""The random control: what a map looks like that means nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, FrameBatch, MapBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import grid_centres
from agentlens.saliency.seeds import check_seed, counted_generator
from agentlens.saliency.targets import TARGETS
from agentlens.spec import GridSpec

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Random(SaliencyMethod):
    """Draw every value uniformly from 0 to 1: the map that a measure must tell from a real one.

    Counter-based: a map depends on seed, episode and step alone.

    Notes:
        No forward passes.
    """

    summary: ClassVar[str] = "control: values drawn at random"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "says nothing: that is its use"

    seed: int = 0
    """Seed of the values."""
    stride: int = length(5)
    """Distance of neighbouring values, observation pixels."""

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        return RandomExplainer(policy, seed=self.seed, stride=self.stride)


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
        maps = frames.observations.new_tensor(np.stack(values)).float()
        return MapBatch(maps[:, None, None], frames.actions)


METHOD = Random
