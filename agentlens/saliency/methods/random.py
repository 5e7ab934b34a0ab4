"""The random control: what a map looks like that means nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Random(SaliencyMethod):
    """Draw every value uniformly from 0 to 1: the map that a measure must tell from a real one.

    Counter-based: a map depends on seed, episode and step alone.

    Notes:
        No forward passes.
    """

    summary: ClassVar[str] = "control: values drawn at random"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "says nothing: that is its use"

    seed: int = 0
    """Seed of the values."""
    stride: int = length(5)
    """Distance of neighbouring values, observation pixels."""

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.controls import RandomExplainer

        return RandomExplainer(policy, seed=self.seed, stride=self.stride)


METHOD = Random
