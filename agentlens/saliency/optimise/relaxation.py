"""From free numbers on a coarse grid to a mask over pixels.

Shape letters: F frames, P plane selections, K planes, H W observation, gy gx mask cells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from agentlens.errors import InvalidArgument
from agentlens.spec import GridSpec

_MARGIN = 1e-6
"""How near to 0 or 1 a uniform draw may come before its logit is taken."""


def cell_grid(observation: tuple[int, int], cell_px: int) -> GridSpec:
    """Cells of about ``cell_px`` pixels that cover an observation evenly.

    Args:
        observation: (H, W).
        cell_px: length of a cell's side, observation pixels; the last cells are not cut off,
            all are stretched to fit.

    Raises:
        InvalidArgument: fewer than one pixel, or more than the observation has.
    """
    if type(cell_px) is not int or not 1 <= cell_px <= min(observation):
        raise InvalidArgument(
            f"cells of {cell_px!r} pixels: expected a whole number from 1 to {min(observation)}."
        )
    lines = []
    for size in observation:
        count = -(-size // cell_px)
        lines.append(tuple((i + 0.5) * size / count - 0.5 for i in range(count)))
    return GridSpec(rows=lines[0], columns=lines[1], observation=observation)


def start_logits(frames: int, selections: int, grid: GridSpec, start: float) -> Tensor:
    """The free numbers before the first step, float32 [F, P, gy, gx]: masks of ``start``."""
    return torch.full((frames, selections, *grid.shape), math.log(start / (1 - start)))


def relaxed(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """Relaxed Bernoulli draws (Maddison et al. 2017, equation 5 for two states), in (0, 1).

    Args:
        logits: any shape.
        uniform: draws from [0, 1), of the same shape.
        temperature: small is nearly 0 or 1.
    """
    inner = uniform.clamp(_MARGIN, 1 - _MARGIN)
    return torch.sigmoid((logits + inner.log() - (-inner).log1p()) / temperature)


def spread(values: Tensor, observation: tuple[int, int]) -> Tensor:
    """Values on cells [F, P, gy, gx] over pixels [F, P, H, W], bilinearly between the centres."""
    return interpolate(values, observation, mode="bilinear", align_corners=False)


def over_planes(masks: Tensor, selections: tuple[tuple[int, ...], ...], stack: int) -> Tensor:
    """Masks [F, P, H, W] of plane selections as one mask for each plane: [F, K, H, W].

    Planes that no selection names are never hidden.
    """
    owners = {plane: number for number, group in enumerate(selections) for plane in group}
    empty = torch.zeros_like(masks[:, 0])
    return torch.stack([masks[:, owners[k]] if k in owners else empty for k in range(stack)], 1)
