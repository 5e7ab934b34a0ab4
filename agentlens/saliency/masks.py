"""Mask families: where an observation is perturbed. 1 = perturbed, exactly 0 off the support.

Shape letters: M masks, H W observation rows and columns, gy gx grid rows and columns.
NumPy only; SciPy's ``gaussian_filter`` (``truncate=4``, ``mode="reflect"``) defines the blur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentlens.errors import InvalidArgument
from agentlens.spec import GridSpec

GridName = Literal["centred", "published"]

TRUNCATE_SIGMAS = 4.0
"""A Gaussian is cut at this many standard deviations: masks have finite support."""


WIDEST_SIGMAS = 100
"""A blur of more than this many times the length of what is blurred is refused."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskSet:
    """Masks float32 [gy * gx, H, W], row by row of ``grid``.

    ``labels``: of the families that follow each other in ``masks``, each with the whole grid; what
    a label adds to a target's name ("@3"), empty where there is one family.
    """

    masks: np.ndarray
    grid: GridSpec
    labels: tuple[str, ...] = ("",)


def gaussian_operator(size: int, sigma: float) -> np.ndarray:
    """The matrix that blurs a line of ``size`` pixels, so that ``A @ plane @ B.T`` blurs a plane.

    Truncated at 4 sigma; the boundary mirrors the edge pixel itself (SciPy's "reflect").

    Returns:
        float64 [size, size]; each row sums to 1.

    Raises:
        InvalidArgument: sigma is not a positive number, or far beyond ``size``.
    """
    if not (np.isfinite(sigma) and sigma > 0):
        raise InvalidArgument(f"a blur of sigma {sigma}: expected a positive number of pixels.")
    if sigma > WIDEST_SIGMAS * size:
        raise InvalidArgument(
            f"a blur of sigma {sigma:g} over {size} pixels: expected at most "
            f"{WIDEST_SIGMAS * size}; "
            "a wider one is flat."
        )
    reach = int(TRUNCATE_SIGMAS * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    source = (np.arange(size)[:, None] + offsets[None, :]) % (2 * size)
    source = np.where(source < size, source, 2 * size - 1 - source)
    operator = np.zeros((size, size))
    np.add.at(operator, (np.arange(size)[:, None], source), kernel[None, :])
    return operator


def grid_centres(size: int, stride: int, grid: GridName) -> np.ndarray:
    """Centres of the masks along one axis, int64.

    "centred" puts them in the middle of cells of ``stride`` pixels, ``stride // 2 + k * stride``;
    "published" at ``k * stride`` as Greydanus et al. do.

    Example:
        >>> grid_centres(80, 5, "centred")[[0, 1, -1]].tolist()
        [2, 7, 77]
    """
    if grid not in ("centred", "published"):
        raise InvalidArgument(f"grid {grid!r}: expected 'centred' or 'published'.")
    if not 1 <= stride <= size:
        raise InvalidArgument(f"stride {stride} on {size} pixels: expected 1 to {size}.")
    return np.arange(stride // 2 if grid == "centred" else 0, size, stride)


def gaussian_masks(
    observation: tuple[int, int],
    radius: float | tuple[float, ...] = 5.0,
    stride: int = 5,
    grid: GridName = "centred",
) -> MaskSet:
    """Soft discs: the five-pixel cross, blurred with sigma = ``radius``, divided by its maximum.

    Scale matters: at radius 5 an object 8 pixels wide keeps 60 % of its contrast, one of 20
    pixels 96 %.

    Args:
        observation: (H, W).
        radius: standard deviation in observation pixels; several give as many families of masks.
        stride: distance of neighbouring centres in pixels.
        grid: where the centres lie, see ``grid_centres``.

    Raises:
        InvalidArgument: a radius that is not positive or given twice, none at all, or a stride
            beyond the observation.

    References:
        Greydanus et al. 2018, section 2.2. Their cross at a corner keeps the pixels that exist.
    """
    rows, columns = (grid_centres(size, stride, grid) for size in observation)
    spec = GridSpec(
        rows=tuple(map(float, rows)), columns=tuple(map(float, columns)), observation=observation
    )
    if isinstance(radius, int | float):
        return MaskSet(masks=_discs(observation, radius, rows, columns), grid=spec)
    labels = tuple(f"@{one:g}" for one in radius)
    if not labels or len(set(labels)) != len(labels):
        raise InvalidArgument(f"radii {radius}: expected one or more, all different.")
    masks = np.concatenate([_discs(observation, one, rows, columns) for one in radius])
    return MaskSet(masks=masks, grid=spec, labels=labels)


def _discs(
    observation: tuple[int, int], radius: float, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """The soft discs of one radius, row by row: float32 [gy * gx, H, W]."""
    if not 0 < radius <= WIDEST_SIGMAS * min(observation):
        raise InvalidArgument(
            f"radius {radius:g}: expected more than 0 and at most "
            f"{WIDEST_SIGMAS * min(observation)} pixels, as the observation has "
            f"{observation[0]} x {observation[1]}."
        )
    point_y, arms_y = _cross_factors(gaussian_operator(observation[0], radius), rows)
    point_x, arms_x = _cross_factors(gaussian_operator(observation[1], radius), columns)
    masks = np.empty((len(rows), len(columns), *observation), np.float32)
    for line, point, arms in zip(masks, point_y, arms_y, strict=True):
        both = np.einsum("h,jw->jhw", point + arms, point_x)
        both += np.einsum("h,jw->jhw", point, arms_x)
        line[:] = both / both.max(axis=(1, 2), keepdims=True)
    return masks.reshape(-1, *observation)


def _cross_factors(operator: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Blurred lines [n, size] of the centre pixel and of its two neighbours that exist."""
    padded = np.pad(operator, ((0, 0), (1, 1)))
    return operator[:, centres].T, (padded[:, centres] + padded[:, centres + 2]).T


def square_masks(observation: tuple[int, int], size: int, stride: int) -> MaskSet:
    """Hard squares of ``size`` pixels, one every ``stride`` pixels, cut off at the far edges.

    The grid names the true middle of each square's visible part.

    Raises:
        InvalidArgument: a size or stride below 1 or beyond the observation.
    """
    if not 1 <= size <= min(observation):
        raise InvalidArgument(f"squares of {size} pixels: expected 1 to {min(observation)}.")
    lines, middles = [], []
    for length in observation:
        starts = grid_centres(length, stride, "published")
        pixel = np.arange(length)
        lines.append((pixel >= starts[:, None]) & (pixel < starts[:, None] + size))
        middles.append(tuple(float(a + min(a + size, length) - 1) / 2 for a in starts))
    masks = np.einsum("ih,jw->ijhw", *(line.astype(np.float32) for line in lines))
    grid = GridSpec(rows=middles[0], columns=middles[1], observation=observation)
    return MaskSet(masks=masks.reshape(-1, *observation), grid=grid)


def full_mask(observation: tuple[int, int]) -> MaskSet:
    """One mask over everything: for questions about planes and time rather than places."""
    middle = tuple((float(size - 1) / 2,) for size in observation)
    grid = GridSpec(rows=middle[0], columns=middle[1], observation=observation)
    return MaskSet(masks=np.ones((1, *observation), np.float32), grid=grid)


def plane_selections(
    planes: str, stack: int, channels: int = 1
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Names and plane indices of what is perturbed together.

    Args:
        planes: "all" (one mask over the whole stack), "newest", or "each" (a map a frame of the
            stack, at as many times the forward passes).
        stack: K.
        channels: planes of one frame, side by side: the colours of a pixel are hidden together.

    Raises:
        InvalidArgument: another word.
    """
    if planes == "all":
        return ("all",), (tuple(range(stack)),)
    if planes == "newest":
        return ("newest",), (tuple(range(stack - channels, stack)),)
    if planes == "each":
        frames = tuple(tuple(range(k, k + channels)) for k in range(0, stack, channels))
        return tuple(f"plane {k}" for k in range(len(frames))), frames
    raise InvalidArgument(f"planes {planes!r}: expected 'all', 'newest' or 'each'.")
