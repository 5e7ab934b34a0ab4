"""Temporal: which frame of the stack matters. A curve, not a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.lengths import length
from agentlens.saliency.masks import full_mask
from agentlens.saliency.options import AskedOptions, ReferenceOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Temporal(ReferenceOptions, AskedOptions, SaliencyMethod):
    """Replace one whole frame of the stack after the other: one number a frame, no places.

    ``change="replace"`` with reference "neighbour" freezes: each frame becomes its older
    neighbour (the oldest, its newer one), so a large value means that the motion between the two
    matters. Other references drop the frame. ``change="swap"`` puts each frame but the oldest and
    its older neighbour in each other's place: nothing is missing, only the order is wrong.

    Notes:
        1 + K forward passes a step, K for swaps, which have no energy control.
    """

    summary: ClassVar[str] = "curve: which frame of the stack matters"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "what stands in several frames is not missed when one is replaced"
    has_places: ClassVar[bool] = False

    change: Literal["replace", "swap"] = "replace"
    """Whether a frame is replaced by the reference or swapped with its older neighbour."""
    reference: str = length("neighbour")
    """What replaces a frame: neighbour, blur[:sigma], constant[:value], median, mean,
    noise[:seed]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.change not in ("replace", "swap"):
            raise InvalidArgument(f"change {self.change!r}: expected 'replace' or 'swap'.")
        if self.change == "swap" and self.reference != "neighbour":
            raise InvalidArgument(
                f"change 'swap' with reference {self.reference!r}: a swap needs no reference."
            )

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.methods.temporal.swap import swap_situations
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec
        from agentlens.saliency.variants import VariantExplainer

        if policy.observation_shape[0] == policy.channels:
            raise InvalidArgument(
                "method 'temporal' compares the frames of a stack and this agent sees one frame: "
                "method 'memory' compares its memory with what it sees."
            )
        if self.change == "swap":
            return VariantExplainer(
                policy,
                facts,
                swap_situations(policy),
                self,
            )
        spec = PerturbationSpec(
            masks=full_mask(policy.observation_shape[1:]),
            planes="each",
            reference=self.reference,
            asked=self,
        )
        return PerturbationExplainer(policy, compute, facts, spec)


METHOD = Temporal
