"""Numbers turned until they are as independent as they can be.

A policy sees a rotation of its numbers no better than the numbers themselves; independence picks
one among all rotations where the factors behind them are independent and not normal.

Shape letters: T steps, E numbers.
"""

from __future__ import annotations

import numpy as np

from agentlens.errors import InvalidArgument

_UPDATES = 500
_STILL = 1e-9
_LEAST_SPREAD = 1e-6


def independent_directions(numbers: np.ndarray, seed: int = 0) -> np.ndarray:
    """The linear map to numbers of spread 1 that are as independent as can be: float64 [E, E].

    Args:
        numbers: [T, E]; their mean does not matter.
        seed: of the start.

    Returns:
        A with ``(numbers - mean) @ A.T`` uncorrelated, each of spread 1.

    Raises:
        InvalidArgument: fewer steps than numbers, or a number that the others give.

    Notes:
        Of normal factors no rotation is better than another: then it is one of them.

    References:
        Hyvarinen 1999 (FastICA), symmetric, with tanh.
    """
    centred = numbers.astype(np.float64) - numbers.mean(0, dtype=np.float64)
    count = numbers.shape[1]
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    spreads = sizes / np.sqrt(len(numbers))
    if len(numbers) < count or spreads[-1] < _LEAST_SPREAD * max(spreads[0], _LEAST_SPREAD):
        raise InvalidArgument(
            f"{count} numbers of {len(numbers)} steps with spreads {spreads.round(6).tolist()}: "
            "expected numbers none of which follows from the others; ask for fewer."
        )
    whitening = directions / spreads[:, None]
    white = centred @ whitening.T
    rotation = _orthogonal(np.random.default_rng(seed).normal(size=(count, count)))
    for _ in range(_UPDATES):
        bent = np.tanh(white @ rotation.T)
        slopes = (1 - np.square(bent)).mean(0)
        turned = _orthogonal(bent.T @ white / len(white) - slopes[:, None] * rotation)
        change = 1 - np.abs(np.einsum("ij,ij->i", turned, rotation)).min()
        rotation = turned
        if change < _STILL:
            break
    return np.asarray(rotation @ whitening)


def _orthogonal(matrix: np.ndarray) -> np.ndarray:
    """The nearest orthogonal matrix."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)
