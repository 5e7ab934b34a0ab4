"""How alike two layers represent the same states: linear CKA, corrected for few samples.

Shape letters: T steps, C units of the one layer, D of the other.
"""

from __future__ import annotations

import numpy as np

from agentlens.errors import ShapeError

LEAST_STEPS = 4
"""The unbiased estimate divides by T - 3."""


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of two layers on the same steps, at most 1.

    Args:
        first: [T, C], any float.
        second: [T, D].

    Returns:
        1 where one is a rotation and scaling of the other; about 0 for unrelated layers, where
        the correction can make it slightly negative; 0 where a layer never changes.

    Raises:
        ShapeError: other shapes, or fewer than four steps.

    Notes:
        T^2 (C + D) multiplications.

    References:
        Kornblith et al. 2019, section 3, with the unbiased HSIC of Song et al. 2012, equation 5
        (Nguyen et al. 2021 use it so), since the plain estimate of wide layers on few steps is
        near 1 whatever they do.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ShapeError(
            f"layers of shapes {first.shape} and {second.shape}: expected [T, C] and [T, D]."
        )
    if len(first) < LEAST_STEPS:
        raise ShapeError(f"{len(first)} steps: expected {LEAST_STEPS} or more.")
    a, b = _gram(first), _gram(second)
    scale = _hsic(a, a) * _hsic(b, b)
    return float(_hsic(a, b) / np.sqrt(scale)) if scale > 0 else 0.0


def _gram(layer: np.ndarray) -> np.ndarray:
    """Products of centred rows without their diagonal: float64 [T, T]."""
    centred = layer.astype(np.float64) - layer.mean(0, dtype=np.float64)
    gram: np.ndarray = centred @ centred.T
    np.fill_diagonal(gram, 0)
    return gram


def _hsic(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased estimate from two Gram matrices with empty diagonals."""
    count = len(a)
    trace = float((a * b).sum())
    means = float(a.sum() * b.sum()) / ((count - 1) * (count - 2))
    rows = 2 * float(a.sum(0) @ b.sum(0)) / (count - 2)
    return (trace + means - rows) / (count * (count - 3))
