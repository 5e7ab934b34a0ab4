"""What a saliency method is: options that load without torch, and an explainer bound to a policy.

Shape letters: F frames, T targets, P plane selections, gy gx grid rows and columns.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np

from agentlens.compute import Compute
from agentlens.registry import Registry
from agentlens.saliency.lengths import rescaled_options
from agentlens.spec import GridSpec, TargetInfo

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.policies.base import Policy
    from agentlens.saliency.erasable import ErasableFrames


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameBatch:
    """The steps explained in one call.

    ``observations``: float32 [F, K, H, W] as the policy wants them. ``actions``: int64 [F], the
    actions taken. ``states``: [F, S], the recurrent state before each step, None without memory.
    ``previous``: the observations one step earlier (the first step's own), where the method's
    ``pictures`` asks for "previous". ``episodes``, ``steps``: int64 [F], they seed random numbers.
    Where the method's ``past_steps`` asks for N: ``past`` [F, N, K, H, W] and ``past_states``
    [F, N, S], the nearest step first, and ``past_counts``, int64 [F], how many of them there are
    since the recurrent state was last reset (the rest repeat other steps). ``objects``: the steps
    with objects that can be erased, where the method's ``pictures`` asks for "objects".
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
    objects: ErasableFrames | None = None

    def __len__(self) -> int:
        return int(self.observations.shape[0])

    def rows(self, rows: np.ndarray) -> FrameBatch:
        """Some of the steps, by their places in the batch: int64 [n], repeats allowed."""

        def part(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[rows]

        return FrameBatch(
            observations=self.observations[rows],
            actions=self.actions[rows],
            states=part(self.states),
            episodes=self.episodes[rows],
            steps=self.steps[rows],
            previous=part(self.previous),
            past=part(self.past),
            past_states=part(self.past_states),
            past_counts=None if self.past_counts is None else self.past_counts[rows],
            objects=None if self.objects is None else self.objects[rows],
        )

    def renumbered(self, steps: np.ndarray) -> FrameBatch:
        """The same steps under other numbers, which only seed random numbers."""
        return replace(self, steps=steps)


class LearnedArtefact(NamedTuple):
    """What was learned for an agent beforehand: settings and figures, and float32 tensors."""

    about: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordingFacts:
    """What a recording gives a method beside its steps.

    ``pictures``: float32 by name, those that ``pictures`` of the method asks for: "median" and
    "mean" of one frame, [H, W] or in colour [3, H, W], "frames" [N, K, H, W] (observations of the
    recording, evenly spread).
    ``action_groups``: actions that do the same in this game, as indices into the policy's; None
    where nobody knows. They are merged where the method says so. ``object_names``: what can be
    erased, where ``pictures`` asks for "objects". ``artefact``: what was learned for this agent,
    where the method names a folder of one.
    """

    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    action_groups: tuple[tuple[int, ...], ...] | None = None
    object_names: tuple[str, ...] = ()
    artefact: LearnedArtefact | None = None


class MapBatch(NamedTuple):
    """Maps of one call.

    ``values``: float32 [F, T, P, gy, gx] on the policy's device, raw. ``explained_actions``:
    int64 [F]. ``halvings``: how often memory ran out and a chunk was halved. ``gaps``: float64
    [F, T], by how much a map's sum misses what it should add up to, for methods that should.
    """

    values: Tensor
    explained_actions: Tensor
    halvings: int = 0
    gaps: Tensor | None = None


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
    for tables. ``weakness``: what a reader of its maps should know. ``has_places``: whether a map
    has places; a curve has one number a step.
    """

    summary: ClassVar[str]
    paper: ClassVar[str]
    weakness: ClassVar[str]
    has_places: ClassVar[bool] = True

    @property
    def pictures(self) -> frozenset[str]:
        """What else of the recording it needs: "median", "mean" (pictures), "previous" (steps),
        "objects" (to be erased)."""
        return frozenset()

    @property
    def past_steps(self) -> int:
        """How many steps before each explained one it needs."""
        return 0

    @property
    def artefact(self) -> tuple[str, str] | None:
        """The purpose and the folder of what was learned for the agent beforehand; None for
        nothing."""
        return None

    def rescaled(self, factor: float) -> Self:
        """The method for observations ``factor`` times as large, over the same game.

        Options that are lengths (made with ``length``) follow; a method without any stays itself.
        """
        return rescaled_options(self, factor)

    def footprint(self, observation: tuple[int, int]) -> float | None:
        """How large the place is that a mask hides, in pixels of an observation of (H, W).

        The standard deviation of a soft disc, the side of a square; None without masks on places.
        """
        del observation
        return None

    @abc.abstractmethod
    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy, on the device and in the precision where it is.

        Args:
            policy: the network that is asked.
            compute: engine, threads and memory; the policy is on its device already.
            facts: what the recording gives.

        Raises:
            InvalidArgument: an option that is out of range or that this policy does not allow.
        """


METHODS: Registry[type[SaliencyMethod]] = Registry(
    package="agentlens.saliency.methods",
    attribute="METHOD",
    kind="saliency method",
    group="agentlens.methods",
)
"""Every method, by name; each module exports its dataclass as METHOD."""
