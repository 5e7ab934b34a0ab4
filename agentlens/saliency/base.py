"""What a saliency method is: options that load without torch, and an explainer bound to a policy.

Shape letters: F frames, T targets, P plane selections, gy gx grid rows and columns.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from agentlens.registry import Registry
from agentlens.spec import GridSpec, TargetInfo

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.policies.base import Policy

METHODS = Registry(package="agentlens.saliency.methods", attribute="METHOD", kind="saliency method")
"""Every method, by name; each module exports its dataclass as METHOD."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameBatch:
    """The steps explained in one call.

    ``observations``: float32 [F, K, H, W] as the policy wants them. ``actions``: int64 [F], the
    actions taken. ``states``: [F, S], the recurrent state before each step, None without memory.
    ``previous``: the observations one step earlier (the first step's own), where the method's
    ``pictures`` asks for "previous". ``episodes``, ``steps``: int64 [F], they seed random numbers.
    Where the method's ``past_steps`` asks for N: ``past`` [F, N, K, H, W] and ``past_states``
    [F, N, S], the nearest step first, and ``past_counts``, int64 [F], how many of them there are
    since the recurrent state was last reset (the rest repeat other steps).
    """

    observations: Tensor
    actions: Tensor
    states: Tensor | None
    episodes: np.ndarray
    steps: np.ndarray
    previous: Tensor | None = None
    past: Tensor | None = None
    past_states: Tensor | None = None
    past_counts: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.observations.shape[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """Where and how to compute, the same for every method.

    ``engine``: "auto", "reference", "batched" or "incremental". ``threads``: 0 for torch's own
    choice. ``groups``: actions that do the same, merged before every score; None keeps them
    apart. ``pictures``: float32 [H, W] by name ("median", "mean"), where ``pictures`` of the
    method asks for them.
    """

    engine: str = "auto"
    threads: int = 0
    memory_bytes: int = 1 << 30
    groups: tuple[tuple[int, ...], ...] | None = None
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)


class MapBatch(NamedTuple):
    """Maps of one call.

    ``values``: float32 [F, T, P, gy, gx] on the policy's device, raw. ``explained_actions``:
    int64 [F]. ``halvings``: how often memory ran out and a chunk was halved.
    """

    values: Tensor
    explained_actions: Tensor
    halvings: int = 0


class Explainer(Protocol):
    """A method bound to a policy: build once, call often.

    ``forward_passes`` counts evaluations of the policy a step, a backward pass as one more.
    ``engine`` names what computes and why.
    """

    @property
    def targets(self) -> tuple[TargetInfo, ...]:
        """What axis 1 of the maps holds."""

    @property
    def planes(self) -> tuple[str, ...]:
        """What axis 2 of the maps holds."""

    @property
    def grid(self) -> GridSpec:
        """Where the values lie."""

    @property
    def forward_passes(self) -> int:
        """Evaluations of the policy a step."""

    @property
    def engine(self) -> str:
        """What computes, for the log and the map set."""

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; the same step gives the same map in whatever company it comes."""


class SaliencyMethod(abc.ABC):
    """One way to make maps. Subclasses are final frozen keyword-only dataclasses, one a file.

    Their fields are the options. ``paper``: where the method comes from. ``summary``: one line
    for tables. ``weakness``: what a reader of its maps should know.
    """

    summary: ClassVar[str]
    paper: ClassVar[str]
    weakness: ClassVar[str]

    @property
    def pictures(self) -> frozenset[str]:
        """What else of the recording it needs: "median", "mean" (pictures), "previous" (steps)."""
        return frozenset()

    @property
    def past_steps(self) -> int:
        """How many steps before each explained one it needs."""
        return 0

    @abc.abstractmethod
    def bind(self, policy: Policy, setup: Setup) -> Explainer:
        """Prepare for one policy, on the device and in the precision where it is.

        Raises:
            InvalidArgument: an option that is out of range or that this policy does not allow.
        """
