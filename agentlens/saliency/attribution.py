"""What a gradient method is: a rule from an output's values and gradients to an attribution.

No torch here, so that a method's file loads without it. Shape letters: N points (observations
evaluated together), T targets, K planes, H W observation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.saliency.base import FrameBatch


class Attribution(NamedTuple):
    """One frame's attribution, [T, K, H, W].

    ``gaps``: float64 [T], by how much its sum misses what it should add up to, where it should.
    """

    values: Tensor
    gaps: Tensor | None = None


class PointOutputs(Protocol):
    """The explained outputs of one frame as functions of the observation."""

    def values(self, points: Tensor) -> Tensor:
        """From N points [N, K, H, W] to the outputs there, float64 [T, N]."""

    def gradients(self, points: Tensor) -> Tensor:
        """From N points [N, K, H, W] to the gradients there, [T, N, K, H, W]."""


class Rule(Protocol):
    """How one frame's gradients become its attribution."""

    def __call__(self, frame: FrameBatch, outputs: PointOutputs) -> Attribution:
        """Attribution of a batch of one frame."""
