"""Maps of states: a layer's values in two dimensions, and how far such a map orders a figure.

Shape letters: T states, C units of a layer, A actions.
"""

from __future__ import annotations

import importlib

import numpy as np

from agentlens.errors import InvalidArgument, ShapeError

NEIGHBOURS = 10
"""States that tell what a state on the map is like."""

APART = 50
"""Decisions: nearer states of one game are no witnesses, they are alike whatever is drawn."""


def principal_map(layer: np.ndarray) -> tuple[np.ndarray, float]:
    """The first two principal components of a layer, and the share of its variance in them.

    Args:
        layer: [T, C], T at least 3.

    Returns:
        float64 [T, 2], of spread 1 in the first, and a share, 0 to 1.

    Notes:
        T^2 C multiplications: through the products of the states, since layers are wide.
    """
    if layer.ndim != 2 or len(layer) < 3:
        raise ShapeError(f"layer of shape {layer.shape}: expected [T, C] of three states or more.")
    centred = layer.astype(np.float64) - layer.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values = np.maximum(values[::-1], 0)
    total = values.sum()
    points = vectors[:, ::-1][:, :2] * np.sqrt(values[:2])
    signs = np.sign(points[np.abs(points).argmax(0), [0, 1]])
    points = points * np.where(signs == 0, 1, signs)
    scale = points[:, 0].std()
    return points / (scale if scale > 0 else 1), float(values[:2].sum() / total) if total else 0.0


def neighbour_map(layer: np.ndarray, seed: int = 0) -> np.ndarray:
    """A map by UMAP: float64 [T, 2].

    Raises:
        InvalidArgument: the package umap-learn is not installed.

    References:
        McInnes et al. 2018, with the package's own settings.
    """
    try:
        umap = importlib.import_module("umap")
    except ImportError as error:
        raise InvalidArgument(
            "a map by umap needs the package umap-learn, which is not installed: install it, or "
            "take pca."
        ) from error
    return np.asarray(umap.UMAP(random_state=seed).fit_transform(layer), np.float64)


def nearest(points: np.ndarray, games: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The nearest states on a map that are not of the same moment: intp [T, NEIGHBOURS].

    Args:
        points: [T, 2].
        games: [T], steps: [T]: where the states are from; those of one game less than ``APART``
            decisions away do not count.

    Raises:
        InvalidArgument: too few states are that far apart.
    """
    distance = np.square(points[:, None] - points[None]).sum(-1)
    same = (games[:, None] == games[None]) & (np.abs(steps[:, None] - steps[None]) < APART)
    distance[same] = np.inf
    if (np.isfinite(distance).sum(1) < NEIGHBOURS).any():
        raise InvalidArgument(
            f"some of {len(points)} states have fewer than {NEIGHBOURS} others {APART} decisions "
            "away: record longer games."
        )
    return np.asarray(np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS])


def told_variance(values: np.ndarray, neighbours: np.ndarray) -> float:
    """The share of a figure's variance that the mean of the neighbours tells; below 0 if worse
    than the mean of all.

    Args:
        values: float [T], NaN where there is none; those count neither as states nor as
            neighbours.
        neighbours: intp [T, n].
    """
    known = np.isfinite(values)
    counted = known[neighbours]
    sums = np.where(counted, values[neighbours], 0).sum(1)
    usable = known & counted.any(1)
    if usable.sum() < 3 or np.var(values[usable]) == 0:
        return float("nan")
    guess = sums[usable] / counted[usable].sum(1)
    return float(1 - np.square(values[usable] - guess).mean() / np.var(values[usable]))


def told_share(labels: np.ndarray, neighbours: np.ndarray) -> float:
    """The share of states whose label is the commonest among their neighbours' [T]; int labels."""
    kinds = np.unique(labels)
    votes = np.stack([(labels[neighbours] == kind).sum(1) for kind in kinds], 1)
    return float((kinds[votes.argmax(1)] == labels).mean())
