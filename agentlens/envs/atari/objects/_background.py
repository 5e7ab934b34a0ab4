"""The picture behind the objects: what a game looks like where nothing stands in front of it."""

from __future__ import annotations

import numpy as np

from agentlens.arrays import check_dtype, check_shape


def background_picture(
    screens: np.ndarray, covered: np.ndarray | None = None, backdrop: int | None = None
) -> np.ndarray:
    """The commonest palette index of every pixel, over the screens where no object covers it.

    Args:
        screens: uint8 [n, Y, X], samples of a recording.
        covered: bool [n, Y, X], where an object stands; None where that is not known.
        backdrop: index for pixels that are covered in every screen; None takes their commonest.

    Returns:
        uint8 [Y, X].

    Raises:
        ShapeError, DtypeError: not screens, or ``covered`` of another shape.
    """
    check_shape("screens", screens, (None, None, None))
    check_dtype("screens", screens, "uint8")
    if covered is None:
        covered = np.zeros(screens.shape, np.bool_)
    check_shape("covered", covered, screens.shape)
    best = np.zeros(screens.shape[1:], np.int64)
    picture = np.full(screens.shape[1:], 0 if backdrop is None else backdrop, np.uint8)
    never = covered.all(0)
    for index in np.unique(screens):
        here = screens == index
        count = (here & ~covered).sum(0)
        if backdrop is None and never.any():
            count = np.where(never, here.sum(0), count)
        better = count > best
        picture[better], best[better] = index, count[better]
    return picture
