"""Randomised masks (RISE): many places hidden at once, scores averaged back to places.

Shape letters: F frames, T targets, P plane selections, M masks, H W observation, gy gx grid.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.engine.settings import device_of
from agentlens.saliency.masks import MaskSet, grid_centres
from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec
from agentlens.spec import GridSpec


def random_masks(
    observation: tuple[int, int], *, count: int, cells: int, hidden: float, seed: int
) -> np.ndarray:
    """Smooth random masks, float32 [count, H, W]: a coarse random grid, shifted, drawn bilinearly.

    Args:
        observation: (H, W).
        count: M.
        cells: of the coarse grid, along each axis.
        hidden: share of cells that are hidden (1).
        seed: of the grids and their shifts.

    Raises:
        InvalidArgument: a number out of range.
    """
    if count < 1 or not 1 <= cells <= min(observation) or not 0 < hidden < 1:
        raise InvalidArgument(
            f"{count} masks of {cells} cells with {hidden} hidden: expected 1 mask or more, 1 to "
            f"{min(observation)} cells and a share between 0 and 1."
        )
    generator = np.random.default_rng(seed)
    coarse = (generator.random((count, cells + 2, cells + 2)) < hidden).astype(np.float32)
    lines = []
    for size in observation:
        cell = -(-size // cells)
        at = (np.arange(size) + generator.integers(0, cell, (count, 1))) / cell
        hat = 1 - np.abs(at[:, :, None] - np.arange(cells + 2))
        lines.append(hat.clip(0).astype(np.float32))
    return lines[0] @ coarse @ lines[1].transpose(0, 2, 1)


class RandomisedExplainer:
    """Random masks bound to a policy; an ``Explainer``."""

    def __init__(
        self,
        policy: Policy,
        compute: Compute,
        facts: RecordingFacts,
        spec: PerturbationSpec,
        *,
        masks: np.ndarray,
        stride: int,
    ) -> None:
        count, *observation = masks.shape
        rows, columns = (grid_centres(size, stride, "centred") for size in observation)
        self.grid = GridSpec(
            rows=tuple(map(float, rows)),
            columns=tuple(map(float, columns)),
            observation=policy.observation_shape[1:],
        )
        listed = dataclasses.replace(
            self.grid, rows=tuple(map(float, range(count))), columns=(0.0,)
        )
        inner = dataclasses.replace(spec, masks=MaskSet(masks=masks, grid=listed))
        self._inner = PerturbationExplainer(policy, compute, facts, inner)
        self.targets = tuple(
            dataclasses.replace(
                info,
                signed=True,
                display="identity",
                meaning=(
                    "hiding this place among others raises the score above its mean: "
                    f"{info.meaning}"
                ),
            )
            for info in self._inner.targets
        )
        self.planes, self.engine = self._inner.planes, self._inner.engine
        self.forward_passes = self._inner.forward_passes
        at = masks[:, rows][:, :, columns].reshape(count, -1).astype(np.float64)
        share = at / at.sum(0).clip(1e-9)
        self._weights = torch.from_numpy(share - 1 / count).to(device_of(policy))

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        scored, explained, halvings, _ = self._inner.score(frames)
        maps = torch.stack([frame.double() @ self._weights for frame in scored]).float()
        return MapBatch(maps.reshape(*maps.shape[:3], *self.grid.shape), explained, halvings)
