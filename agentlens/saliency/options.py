"""Options that several methods share, with what follows from them: bases of their dataclasses.

A method names its own defaults by writing the field again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentlens.counts import check_count, check_rate
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import GridName, MaskSet, gaussian_masks
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy

Planes = Literal["all", "newest", "each"]


@dataclass(frozen=True, kw_only=True)
class ActionOptions:
    """Which action is explained, and how outputs become a distribution over actions."""

    action: str = "taken"
    """The explained action: taken, greedy or a name such as RIGHT."""
    temperature: float | None = None
    """Softmax temperature that softmax targets of Q-values need."""
    merge_actions: bool = False
    """Treat actions that do the same in this game as one."""


@dataclass(frozen=True, kw_only=True)
class AskedOptions(ActionOptions):
    """What is asked of the outputs."""

    targets: tuple[str, ...] | None = None
    """Scores or outputs by name; the default suits the policy."""
    contrast: str | None = None
    """The action that target contrast compares with; the best other one if not given."""


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """What the observation is compared with, or replaced by."""

    reference: str = length("blur")
    """What fills a hidden part, or is compared with: blur[:sigma], constant[:value], median, mean,
    previous, neighbour or noise[:seed]."""

    def __post_init__(self) -> None:
        parse_reference(self.reference)

    @property
    def pictures(self) -> frozenset[str]:
        """What the reference needs of the recording."""
        return parse_reference(self.reference).pictures


@dataclass(frozen=True, kw_only=True)
class MaskOptions(ReferenceOptions):
    """Where masks fall, and what fills them."""

    planes: Planes = "all"
    """Frames of the stack that a mask falls on."""


@dataclass(frozen=True, kw_only=True)
class DiscOptions(MaskOptions):
    """Soft discs on a grid."""

    radius: float | tuple[float, ...] = length(5.0)
    """Standard deviation of a disc, observation pixels; several give targets such as kl@3, kl@5."""
    stride: int = length(5)
    """Distance of neighbouring discs, observation pixels."""
    grid: GridName = "centred"
    """Where the discs' centres lie."""
    preview: bool = False
    """Twice the stride, a quarter of the forward passes; the map stays on that coarse grid."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for radius in self.radius if isinstance(self.radius, tuple) else (self.radius,):
            check_rate("radius", radius)
        check_count("stride", self.stride)

    @property
    def spacing(self) -> int:
        """Distance of neighbouring discs, the preview's where one is wanted."""
        return 2 * self.stride if self.preview else self.stride

    def discs(self, policy: Policy) -> MaskSet:
        """The masks for a policy's observations."""
        return gaussian_masks(policy.observation_shape[1:], self.radius, self.spacing, self.grid)

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """The standard deviation of a disc in observation pixels, of the largest where several."""
        del observation
        return max(self.radius) if isinstance(self.radius, tuple) else self.radius


@dataclass(frozen=True, kw_only=True)
class GradientOptions(AskedOptions):
    """Methods that take derivatives of outputs."""

    targets: tuple[str, ...] | None = None
    """Outputs by name: log_probability, contrast, logit, value, gap, q_value or advantage."""
    planes: Planes = "all"
    """Frames of the stack: all read as one (the largest size, or the sum of signed values), the
    newest alone, or a map for each."""
