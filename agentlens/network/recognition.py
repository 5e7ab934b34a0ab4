"""How well a layer holds a quantity: linear probes, their controls, and when they fail.

A probe alone says little: the same network untrained often holds a ball's place as well. So each
comes with the untrained twin's, and with a label of other steps.

Shape letters: T steps, C units of a layer, D coordinates of an object, N folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.arrays import check_finite, check_shape
from agentlens.errors import InvalidArgument

FOLDS = 5
"""Neighbouring steps are left out together, so that none is predicted from the step beside it."""

_PENALTIES = (1.0, 10.0, 100.0, 1000.0)
"""Of the ridge, per unit of a layer with deviation 1; the best on the last fifth of the steps that
a fold learns from."""

_LEAST_STEPS = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Probe:
    """What a linear map says of T steps that it did not learn from.

    ``fit``: R^2 over all of them, mean over coordinates; 0 for one that knows the mean alone.
    ``errors``: float64 [T], the root mean square over coordinates, in their standard deviations.
    """

    fit: float
    errors: np.ndarray


def probe(layer: np.ndarray, coordinates: np.ndarray) -> Probe:
    """Predict coordinates from a layer, every fold from the others.

    Args:
        layer: [T, C], steps in order.
        coordinates: [T, D], each of them changing.

    Raises:
        ShapeError, NotFinite: not a row a step, or numbers missing.
        InvalidArgument: fewer than 50 steps, or a coordinate that never changes.

    Notes:
        20 eigenvalue-free solves of C x C: a second for 512 units.

    References:
        Hewitt & Liang 2019 on selectivity; Anand et al. 2019 on probing Atari agents. Deviations:
        regression instead of classes, folds in time.
    """
    check_shape("coordinates", coordinates, (len(layer), None))
    check_finite("layer", layer)
    check_finite("coordinates", coordinates)
    spread = coordinates.std(0)
    if len(layer) < _LEAST_STEPS or not (spread > 0).all():
        raise InvalidArgument(
            f"{len(layer)} steps with deviations {spread.round(3).tolist()}: expected "
            f"{_LEAST_STEPS} steps or more, and coordinates that change."
        )
    wanted = (coordinates - coordinates.mean(0)) / spread
    given = np.empty_like(wanted, dtype=np.float64)
    fold_of = np.arange(len(layer)) * FOLDS // len(layer)
    for fold in range(FOLDS):
        held = fold_of == fold
        given[held] = _predicted(layer[~held].astype(np.float64), wanted[~held], layer[held])
    squares = np.square(given - wanted)
    return Probe(fit=float(1 - squares.mean()), errors=np.sqrt(squares.mean(1)))


def _predicted(layer: np.ndarray, wanted: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Coordinates [T', D] of the asked steps, by the ridge that suits the learned ones best."""
    inner = len(layer) * 4 // 5
    first = _Ridge(layer[:inner], wanted[:inner])
    misses = [
        np.square(first(layer[inner:], penalty) - wanted[inner:]).mean() for penalty in _PENALTIES
    ]
    return _Ridge(layer, wanted)(asked, _PENALTIES[int(np.argmin(misses))])


class _Ridge:
    """Ridge regression for several penalties: one product, one solve each."""

    def __init__(self, layer: np.ndarray, wanted: np.ndarray) -> None:
        self._mean, self._offset = layer.mean(0), wanted.mean(0)
        deviation = layer.std(0)
        self._scale = np.where(deviation > 0, deviation, 1.0)
        centred = (layer - self._mean) / self._scale
        self._gram, self._cross = centred.T @ centred, centred.T @ (wanted - self._offset)

    def __call__(self, asked: np.ndarray, penalty: float) -> np.ndarray:
        weights = np.linalg.solve(self._gram + penalty * np.eye(len(self._gram)), self._cross)
        predicted: np.ndarray = (asked - self._mean) / self._scale @ weights + self._offset
        return predicted


def failure_auc(errors: np.ndarray, failing: np.ndarray) -> float:
    """How surely a larger error tells a failing step from another: 0.5 for chance, 1 for always.

    Args:
        errors: float [T].
        failing: bool [T].

    Returns:
        The area under the ROC curve, ties counting a half; NaN where no step fails, or all do.
    """
    inside, outside = np.asarray(errors)[failing], np.sort(np.asarray(errors)[~failing])
    if not len(inside) or not len(outside):
        return float("nan")
    below = np.searchsorted(outside, inside, "left") + np.searchsorted(outside, inside, "right")
    return float(below.mean() / (2 * len(outside)))
