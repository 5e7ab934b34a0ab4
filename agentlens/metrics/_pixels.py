"""Maps on the pixels of the observation, and the pixels that a map puts first.

Shape letters: F frames, gy gx grid, H W observation.
"""

from __future__ import annotations

import numpy as np

from agentlens.spec import GridSpec


def to_pixels(maps: np.ndarray, grid: GridSpec) -> np.ndarray:
    """Maps interpolated between the true centres of their cells, constant beyond the outermost.

    Args:
        maps: [F, gy, gx].
        grid: where the values lie.

    Returns:
        float64 [F, H, W].
    """
    rows = _weights(np.asarray(grid.rows), grid.observation[0])
    columns = _weights(np.asarray(grid.columns), grid.observation[1])
    pixels: np.ndarray = rows @ maps.astype(np.float64) @ columns.T
    return pixels


def order(values: np.ndarray) -> np.ndarray:
    """Pixel numbers by falling value, ties in an order that favours no side: int64 [F, H * W].

    Args:
        values: [F, H, W].
    """
    flat = values.reshape(len(values), -1)
    shuffled = np.random.default_rng(0).permutation(flat.shape[1])
    ranked = np.argsort(-flat[:, shuffled], axis=1, kind="stable")
    ordered: np.ndarray = shuffled[ranked]
    return ordered


def top_pixels(values: np.ndarray, share: float) -> np.ndarray:
    """Masks of the share of pixels with the largest values: float32 [F, H, W], 1 = among them."""
    count = max(1, round(share * values[0].size))
    mask = np.zeros((len(values), values[0].size), np.float32)
    np.put_along_axis(mask, order(values)[:, :count], 1.0, axis=1)
    return mask.reshape(values.shape)


def _weights(centres: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation from the centres to every pixel: float64 [size, len(centres)]."""
    pixels = np.arange(size)
    each = np.eye(len(centres))
    return np.stack([np.interp(pixels, centres, line) for line in each], axis=1)
