"""The one door for arrays: shape, dtype, range and finiteness, checked where they come in.

Works on NumPy arrays and on anything with ``shape`` and ``dtype`` (a torch tensor's finiteness is
checked by its owner, which can do it on the device).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from agentlens.errors import DtypeError, InvalidArgument, NotFinite, ShapeError


def check_shape(name: str, array: Any, expected: tuple[int | None, ...]) -> None:
    """Check an array's shape; ``None`` in ``expected`` stands for any size.

    Raises:
        ShapeError: with both shapes in the message.
    """
    got = tuple(int(n) for n in array.shape)
    fits = len(got) == len(expected) and all(
        e is None or g == e for g, e in zip(got, expected, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise ShapeError(f"{name} has shape {got}, expected ({wanted}).")


def check_dtype(name: str, array: Any, *expected: str) -> None:
    """Check that an array's dtype is one of the named ones ("uint8", "float32").

    Raises:
        DtypeError: with both dtypes in the message.
    """
    got = _dtype_name(array.dtype)
    if got not in expected:
        raise DtypeError(f"{name} is {got}, expected {' or '.join(expected)}.")


@functools.lru_cache(maxsize=64)
def _dtype_name(dtype: Any) -> str:
    """As ``str`` says it, which takes NumPy microseconds."""
    return str(dtype).removeprefix("torch.")


def check_finite(name: str, array: np.ndarray) -> None:
    """Check that every element is finite.

    Raises:
        NotFinite: names the first bad index and its value.
    """
    finite = np.isfinite(array)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise NotFinite(f"{name} holds {array[index]} at index {index}; expected finite numbers.")


def scale_planes(planes: np.ndarray, divisor: float) -> np.ndarray:
    """Turn stored planes into what the network sees: float32, divided by ``divisor``.

    Args:
        planes: uint8 or float32, any shape.
        divisor: the agent's ``scale_divisor`` (255.0 gives [0, 1]).
    """
    check_dtype("planes", planes, "uint8", "float32")
    return planes.astype(np.float32) / np.float32(divisor)


def stack_planes(planes: np.ndarray, resets: np.ndarray, depth: int, fill: str) -> np.ndarray:
    """Rebuild frame stacks from single planes: the one home of the stack rule.

    The stack of step t is planes t-K+1 .. t, oldest first. It never reaches behind the last
    reset at or before t: there it holds zeros, or the plane of the reset step.

    Args:
        planes: [T, H, W], the newest frame of each step ([T, C, H, W] in colour), starting at an
            episode's start or at least K-1 steps before the first stack wanted.
        resets: bool [T], true where the stack was emptied before this step's plane came in.
            The first plane counts as a reset.
        depth: K.
        fill: "zeros" or "repeat".

    Returns:
        [T, K, H, W] ([T, K C, H, W] in colour, a frame's channels side by side), same dtype as
        ``planes``; K times the memory.
    """
    check_shape("planes", planes, (None,) * (4 if planes.ndim == 4 else 3))
    check_shape("resets", resets, (len(planes),))
    if fill not in ("zeros", "repeat"):
        raise InvalidArgument(f"stack fill {fill!r}: expected 'zeros' or 'repeat'.")
    steps = np.arange(len(planes))
    start = np.maximum.accumulate(np.where(resets, steps, 0)) if len(planes) else steps
    source = steps[:, None] + np.arange(1 - depth, 1)[None, :]
    inside = source >= start[:, None]
    stacks: np.ndarray = planes[np.where(inside, source, start[:, None])]
    if fill == "zeros":
        stacks[~inside] = 0
    channels = planes.shape[1] if planes.ndim == 4 else 1
    return stacks.reshape(len(stacks), depth * channels, *planes.shape[-2:])


def check_whole(name: str, values: Sequence[int]) -> None:
    """Check that every value is a whole number (a bool or a float is not one).

    Raises:
        InvalidArgument: names the first that is not.
    """
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise InvalidArgument(f"{name} {value!r}: expected a whole number.")
