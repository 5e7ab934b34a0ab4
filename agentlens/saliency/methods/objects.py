"""Objects: erase one after the other, at its own place in every frame of the stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import AskedOptions, Planes

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Objects(AskedOptions, SaliencyMethod):
    """Erase one object after the other from the screens and paint its effect where it was.

    Screens are edited before the agent's own preprocessing; erased pixels become the recording's
    background. With ``shares`` an object's value is its Shapley value: its part of what all
    objects together do, which sums to the whole.

    Notes:
        1 + P N forward passes a step for N objects in sight, 2^N with ``shares`` (N up to 8), at
        most ``orders`` (N - 1) + N + 2 for more.

    References:
        Objects as players for a policy's behaviour and prediction: SVERL, Beechey et al. 2023.
        Deviation: an erased object is replaced by the background, not by what else could be there.
    """

    summary: ClassVar[str] = "objects erased one by one, or their Shapley values"
    paper: ClassVar[str] = "after Beechey et al. 2023"
    weakness: ClassVar[str] = "a screen without an object may be one the agent has never seen"

    planes: Planes = "all"
    """Frames of the stack that an object is erased from."""
    shares: bool = False
    """Shapley values instead of erasing one by one; needs planes all and outputs that can be shared
    (kl, log_probability, contrast, logit, value, gap, q_value, advantage)."""
    orders: int = 16
    """Sampled orders for shares of more than eight objects in sight, an even number."""
    seed: int = 0
    """Seed of sampled orders."""

    def __post_init__(self) -> None:
        if self.shares and self.planes != "all":
            raise InvalidArgument(
                f"shares with planes {self.planes!r}: objects share what they do in all frames; "
                "leave planes at all."
            )
        if self.orders < 4 or self.orders % 2:
            raise InvalidArgument(f"{self.orders} orders: expected an even number, 4 or more.")

    @property
    def pictures(self) -> frozenset[str]:
        """The objects of the recording."""
        return frozenset({"objects"})

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.object_maps import ObjectExplainer

        return ObjectExplainer(policy, facts, self)


METHOD = Objects
