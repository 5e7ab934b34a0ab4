"""An edge detector's map: a control that knows the picture and no agent."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from agentlens.saliency.masks import gaussian_operator
from agentlens.spec import GridSpec

_STRIDE, _RADIUS = 4, 2.0


def edge_maps(observations: Tensor, channels: int) -> tuple[np.ndarray, GridSpec]:
    """Smoothed gradient magnitude of the newest frame, on a grid of its own.

    Args:
        observations: [F, K, H, W].
        channels: planes of a frame; of colours the mean.

    Returns:
        float64 [F, gy, gx] and where the values lie.
    """
    newest = observations[:, -channels:].double().mean(1).cpu().numpy()
    down, right = np.gradient(newest, axis=(1, 2))
    height, width = newest.shape[1:]
    magnitude = np.hypot(down, right)
    smooth = gaussian_operator(height, _RADIUS) @ magnitude @ gaussian_operator(width, _RADIUS).T
    rows, columns = (np.arange(_STRIDE // 2, size, _STRIDE) for size in (height, width))
    grid = GridSpec(
        rows=tuple(map(float, rows)),
        columns=tuple(map(float, columns)),
        observation=(height, width),
    )
    return smooth[:, rows][:, :, columns], grid
