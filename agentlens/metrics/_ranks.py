"""Agreement of maps by rank, and how concentrated a map is. NumPy only."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """Mid-ranks along the last axis (equal values share theirs): float64, same shape."""
    ordered = np.sort(values, axis=-1)
    flat, sorted_flat = values.reshape(-1, values.shape[-1]), ordered.reshape(-1, values.shape[-1])
    rows = [
        (np.searchsorted(own, row, "left") + np.searchsorted(own, row, "right") - 1) / 2
        for row, own in zip(flat, sorted_flat, strict=True)
    ]
    return np.array(rows, np.float64).reshape(values.shape)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rank correlation of two sets of maps [F, ...], one number each: float64 [F].

    Signed, without a maximum over a map and its inverse; NaN where a map is flat, unless both
    are the same.

    Example:
        >>> spearman(np.array([[1.0, 2, 3, 4]]), np.array([[10.0, 20, 40, 30]])).round(6).tolist()
        [0.8]
    """
    one, other = (ranks(maps.reshape(len(maps), -1)) for maps in (first, second))
    return pearson(one, other)


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlation along the last axis: float64 [F]; NaN where one is flat, 1 where both are
    equal."""
    one, other = first - first.mean(-1, keepdims=True), second - second.mean(-1, keepdims=True)
    spread = np.sqrt((one**2).sum(-1) * (other**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (one * other).sum(-1) / spread
    same = (first == second).all(-1)
    return np.where(same, 1.0, np.where(spread > 0, value, np.nan))


def partial(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Rank correlation of two sets of maps once what a third explains is taken off: float64 [F]."""
    direct = spearman(first, second)
    left, right = spearman(first, given), spearman(second, given)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: np.ndarray = (direct - left * right) / np.sqrt((1 - left**2) * (1 - right**2))
    return np.where(np.isfinite(value), value, np.nan)


def gini(values: np.ndarray) -> np.ndarray:
    """Gini index of the absolute values [F, n]: 0 all equal, near 1 all in one place; NaN of 0.

    Example:
        >>> gini(np.array([[0.0, 0, 0, 1], [1, 1, 1, 1]])).tolist()
        [0.75, 0.0]
    """
    ordered = np.sort(np.abs(values.reshape(len(values), -1)), axis=-1)
    count, total = ordered.shape[-1], ordered.sum(-1)
    places = 2 * np.arange(1, count + 1) - count - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        index: np.ndarray = (ordered * places).sum(-1) / (count * total)
    return index


def structural_similarity(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """SSIM of two sets of maps [F, gy, gx] in two dimensions: float64 [F].

    Each map is divided by its maximum first; windows of 5 x 5 cells, constants .01 and .03.

    References:
        Wang et al. 2004, equation 13. Deviation: uniform windows, as is usual for small maps.
    """
    one, other = (_scaled(maps) for maps in (first, second))
    size = min(5, *one.shape[1:])
    windows = [
        np.lib.stride_tricks.sliding_window_view(maps, (size, size), axis=(1, 2))
        for maps in (one, other)
    ]
    means = [w.mean((-2, -1)) for w in windows]
    spreads = [w.var((-2, -1)) for w in windows]
    product = (windows[0] * windows[1]).mean((-2, -1)) - means[0] * means[1]
    low, high = 0.01**2, 0.03**2
    value = (2 * means[0] * means[1] + low) * (2 * product + high)
    value = value / ((means[0] ** 2 + means[1] ** 2 + low) * (spreads[0] + spreads[1] + high))
    similarity: np.ndarray = value.mean((-2, -1))
    return similarity


def _scaled(maps: np.ndarray) -> np.ndarray:
    top = np.abs(maps).max((1, 2), keepdims=True)
    scaled: np.ndarray = np.divide(
        maps, top, out=np.zeros_like(maps, dtype=np.float64), where=top > 0
    )
    return scaled
