"""References: what fills the perturbed part of an observation.

A reference is written ``name`` or ``name:number``: "blur" or "blur:3" (sigma in pixels),
"constant" or "constant:0.5" (in the observation's own units), "median" and "mean" (a picture of
the whole recording), "previous" (the observation one step earlier), "neighbour" (each plane's
older neighbour in the stack, the oldest's newer one), "noise" or "noise:7" (seed).

Shape letters: F frames, K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agentlens.errors import InvalidArgument, ShapeError, UnknownName
from agentlens.saliency.masks import gaussian_operator
from agentlens.saliency.seeds import LARGEST_SEED, counted_generator

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.saliency.base import FrameBatch

_DEFAULTS = {
    "blur": 3.0,
    "constant": 0.0,
    "median": None,
    "mean": None,
    "previous": None,
    "neighbour": None,
    "noise": 0.0,
}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A kind of reference and its number (None for kinds that have none)."""

    kind: str
    number: float | None

    def __str__(self) -> str:
        """As it is written with nothing left out: "blur:3", "median"."""
        return (
            self.kind
            if self.number is None
            else f"{self.kind}:{repr(self.number).removesuffix('.0')}"
        )

    @property
    def pictures(self) -> frozenset[str]:
        """What of the recording it needs beside the observation."""
        wanted = self.kind in ("median", "mean", "previous")
        return frozenset({self.kind}) if wanted else frozenset()

    def rescaled(self, factor: float) -> Reference:
        """The same reference for observations ``factor`` times as large: a blur as wide on the
        screen."""
        if self.kind != "blur" or self.number is None:
            return self
        return Reference(kind=self.kind, number=round(self.number * factor, 3))

    def fill(self, frames: FrameBatch, pictures: Mapping[str, np.ndarray]) -> Tensor:
        """The reference of every frame: [F, K, H, W], like the observations.

        Raises:
            InvalidArgument: it needs a picture of the recording that was not handed over.
        """
        observations = frames.observations
        match self.kind:
            case "blur":
                return blur(observations, float(self.number or 0))
            case "constant":
                return observations.new_full(observations.shape, float(self.number or 0))
            case "noise":
                return self._noise(frames)
            case "neighbour":
                order = [min(1, observations.shape[1] - 1), *range(observations.shape[1] - 1)]
                return observations[:, order]
            case "previous":
                if frames.previous is None:
                    raise InvalidArgument("reference 'previous' needs the previous observations.")
                return frames.previous
        if self.kind not in pictures:
            raise InvalidArgument(f"reference {self.kind!r} needs a picture of the recording.")
        return stacked(self.kind, pictures[self.kind], observations)

    @property
    def of_each_mask(self) -> bool:
        """Whether every mask is filled with something of its own."""
        return self.kind == "noise"

    def fill_masks(self, frames: FrameBatch, count: int) -> Tensor:
        """The reference of every frame and each of M masks: [F, M, K, H, W].

        Only for kinds that have one ``of_each_mask``.
        """
        observations = frames.observations
        filled = observations.new_empty(len(frames), count, *observations.shape[1:])
        for mask in range(count):
            filled[:, mask] = self._noise(frames, mask)
        return filled

    def _noise(self, frames: FrameBatch, mask: int = -1) -> Tensor:
        """Uniform noise between each frame's own extremes.

        Counter-based: the picture depends on seed, episode, step and mask alone.
        """
        shape, seed = tuple(frames.observations.shape[1:]), int(self.number or 0)
        pictures = [
            counted_generator(seed, episode, step, mask).random(shape, np.float32)
            for episode, step in zip(frames.episodes, frames.steps, strict=True)
        ]
        low, high = _extremes(frames.observations)
        return low + frames.observations.new_tensor(np.stack(pictures)) * (high - low)


def _extremes(observations: Tensor) -> tuple[Tensor, Tensor]:
    return observations.amin((1, 2, 3), keepdim=True), observations.amax((1, 2, 3), keepdim=True)


def stacked(kind: str, picture: np.ndarray, observations: Tensor) -> Tensor:
    """A picture of one frame, [H, W] or [C, H, W], for every frame of every stack.

    Raises:
        ShapeError: it is of another size, or of more channels than divide the stack.
    """
    channels = 1 if picture.ndim == 2 else len(picture)
    planes, size = observations.shape[1], tuple(observations.shape[-2:])
    if picture.shape[-2:] != size or planes % channels:
        raise ShapeError(
            f"the recording's {kind} picture is {picture.shape}, expected {size}, or as many "
            f"channels before it as divide {planes} planes."
        )
    stacked = observations.new_tensor(picture).reshape(channels, *size)
    stacked = stacked.repeat(planes // channels, 1, 1)
    return stacked.expand(observations.shape).contiguous()


def parse_reference(text: str) -> Reference:
    """Read "blur", "blur:2.5", "constant:0", "median", "mean", "previous", "noise:7".

    Raises:
        UnknownName: no such reference.
        InvalidArgument: a number where none belongs, or one out of range.
    """
    kind, colon, tail = text.partition(":")
    if kind not in _DEFAULTS:
        raise UnknownName("reference", kind, _DEFAULTS)
    default = _DEFAULTS[kind]
    if not colon:
        return Reference(kind=kind, number=default)
    if default is None:
        raise InvalidArgument(f"reference {text!r}: {kind} takes no number.")
    try:
        number = float(tail)
    except ValueError:
        raise InvalidArgument(f"reference {text!r}: expected a number after the colon.") from None
    if (
        not np.isfinite(number)
        or (kind == "blur" and number <= 0)
        or (kind == "noise" and (number < 0 or number % 1 or number > LARGEST_SEED))
        or abs(number) > float(np.finfo(np.float32).max)
    ):
        raise InvalidArgument(
            f"reference {text!r}: expected a positive sigma for blur, a whole seed for noise, "
            "any float32 number for constant."
        )
    return Reference(kind=kind, number=number)


def blur(observations: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of each plane by itself, never across the stack: [F, K, H, W].

    Two small matrix products; equal to SciPy's ``gaussian_filter(plane, sigma)`` to rounding. They
    are taken in float64 and rounded once, so that a flat region stays exactly what it is.
    """
    height, width = observations.shape[-2:]
    exact = observations.double()
    rows = exact.new_tensor(gaussian_operator(height, sigma))
    columns = exact.new_tensor(gaussian_operator(width, sigma).T)
    return (rows @ exact @ columns).to(observations.dtype)
