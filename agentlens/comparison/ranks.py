"""Rank correlation and top overlap of maps, row by row.

Shape letters: T states, N cells of a map.
"""

from __future__ import annotations

import math

import numpy as np

from agentlens.arrays import check_shape

TOP_SHARE = 0.05
"""Of the grid's cells: those with the largest values."""


def spearman(first: np.ndarray, second: np.ndarray, *controls: np.ndarray) -> np.ndarray:
    """Rank correlation row by row, with the ranks of ``controls`` partialled out.

    Args:
        first, second, controls: float [T, N]; ties share their mean rank.

    Returns:
        float64 [T] in [-1, 1]; NaN where a map (or what the controls leave of it) is constant.
    """
    x, y = _centred_ranks(first), _centred_ranks(second)
    full_x, full_y = _norm(x), _norm(y)
    basis: list[np.ndarray] = []
    for control in controls:
        z = _centred_ranks(control)
        before = _norm(z)
        for b in basis:
            z = z - (z * b).sum(axis=1, keepdims=True) * b
        size = _norm(z)
        usable = size > 1e-6 * np.maximum(before, 1.0)
        basis.append(np.where(usable, z / np.where(usable, size, 1.0), 0.0))
    for b in basis:
        x = x - (x * b).sum(axis=1, keepdims=True) * b
        y = y - (y * b).sum(axis=1, keepdims=True) * b
    size_x, size_y = _norm(x), _norm(y)
    usable = (size_x > 1e-6 * np.maximum(full_x, 1.0)) & (size_y > 1e-6 * np.maximum(full_y, 1.0))
    product = (x * y).sum(axis=1, keepdims=True)
    scale = np.where(usable, size_x * size_y, 1.0)
    result: np.ndarray = np.where(usable, np.clip(product / scale, -1.0, 1.0), np.nan)[:, 0]
    return result


def top_overlap(first: np.ndarray, second: np.ndarray, share: float = TOP_SHARE) -> np.ndarray:
    """Shared part of the cells with the largest values, row by row: float64 [T] in [0, 1].

    Args:
        first, second: float [T, N].
        share: of the cells, rounded up to a whole one.
    """
    check_shape("second", second, first.shape)
    count = math.ceil(share * first.shape[1])
    tops = [np.argsort(-m, axis=1, kind="stable")[:, :count] for m in (first, second)]
    members = [np.zeros(first.shape, bool) for _ in tops]
    for member, top in zip(members, tops, strict=True):
        np.put_along_axis(member, top, True, axis=1)
    result: np.ndarray = (members[0] & members[1]).sum(axis=1) / count
    return result


def _centred_ranks(maps: np.ndarray) -> np.ndarray:
    ranks = np.empty(maps.shape)
    for i, row in enumerate(maps):
        _, places, counts = np.unique(row, return_inverse=True, return_counts=True)
        ranks[i] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    centred: np.ndarray = ranks - ranks.mean(axis=1, keepdims=True)
    return centred


def _norm(rows: np.ndarray) -> np.ndarray:
    size: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return size
