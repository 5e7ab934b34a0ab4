"""The rows of a measure: what makes the maps of each, methods and controls alike.

Shape letters: F states, gy gx grid, H W observation.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.metrics._edges import edge_maps
from agentlens.metrics._randomised import randomised_policy
from agentlens.metrics._recorded import bind, part
from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, SaliencyMethod
from agentlens.spec import GridSpec

CHUNK = 8
"""States that a method explains in one call."""


class RowMaker(Protocol):
    """A ``Maker`` that knows where its maps lie."""

    def grid(self, policy: Policy, median: np.ndarray) -> GridSpec:
        """Where the values lie."""

    def __call__(
        self,
        policy: Policy,
        frames: FrameBatch,
        *,
        median: np.ndarray,
        action: int | None = None,
    ) -> np.ndarray | None:
        """See ``metrics.Maker``."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MethodMaker:
    """A method's maps: the size of its first target, summed over planes.

    ``groups``: actions that do the same in the game. ``seed``: make them of the policy with all
    its weights drawn anew from it; ``None`` of the policy itself.
    """

    method: SaliencyMethod
    compute: Compute
    groups: tuple[tuple[int, ...], ...] | None = None
    seed: int | None = None

    def grid(self, policy: Policy, median: np.ndarray) -> GridSpec:
        """Where the values lie."""
        return bind(self.method, policy, median, self.compute, self.groups).grid

    def __call__(
        self,
        policy: Policy,
        frames: FrameBatch,
        *,
        median: np.ndarray,
        action: int | None = None,
    ) -> np.ndarray | None:
        """Maps float64 [F, gy, gx]; see ``metrics.Maker``."""
        method: Any = self.method
        if action is not None:
            if not self._asks_about_an_action(policy, median):
                return None
            method = dataclasses.replace(method, action=policy.action_meanings[action])
        if self.seed is not None:
            policy = randomised_policy(policy, self.seed)
        explainer = bind(method, policy, median, self.compute, self.groups)
        maps = []
        for start in range(0, len(frames), CHUNK):
            chosen = range(start, min(start + CHUNK, len(frames)))
            values = explainer(part(frames, chosen)).values[:, 0]
            maps.append(values.abs().sum(1).double().cpu().numpy())
        return np.concatenate(maps)

    def _asks_about_an_action(self, policy: Policy, median: np.ndarray) -> bool:
        """Whether another action could change the map: of a score that is asked for by name, only
        where it depends on one; a default gives way to one that does."""
        method: Any = self.method
        if not hasattr(method, "action"):
            return False
        if getattr(method, "targets", None) is None:
            return True
        explainer = bind(method, policy, median, self.compute, self.groups)
        return explainer.targets[0].of_action


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EdgeMaker:
    """An edge detector's maps: the picture alone."""

    def grid(self, policy: Policy, median: np.ndarray) -> GridSpec:
        """Where the values lie."""
        shape = policy.observation_shape
        return edge_maps(torch.zeros(1, *shape), policy.channels)[1]

    def __call__(
        self,
        policy: Policy,
        frames: FrameBatch,
        *,
        median: np.ndarray,
        action: int | None = None,
    ) -> np.ndarray | None:
        """Maps float64 [F, gy, gx]; no action is asked about."""
        return None if action is not None else edge_maps(frames.observations, policy.channels)[0]
