"""DeepLIFT, by Captum's implementation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import AskedOptions, ReferenceOptions
from agentlens.saliency.references import parse_reference

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class DeepLift(ReferenceOptions, SaliencyMethod):
    """What each pixel adds to an output against a reference, by finite differences layer by layer.

    The rescale rule: at each activation the multiplier is the change of what goes out over the
    change of what goes in, from the reference to the observation. Signed; sums to the output's
    difference between the two, which is checked once before the first map.

    Notes:
        2 forward passes and 1 backward pass a step and target, in float64. Needs the extra
        ``captum``. Refused where the rule does not hold: recurrent policies, whose gates multiply,
        and policies that compute something between their layers.

    References:
        Shrikumar et al. 2017, section 3.5, equation 13. Before the softmax, as their section 3.6
        says: hence no log_probability.
    """

    summary: ClassVar[str] = "what each pixel adds against a reference, layer by layer, signed"
    paper: ClassVar[str] = "Shrikumar et al. 2017"
    weakness: ClassVar[str] = (
        "what equals the reference can never matter; no recurrent agents; depends on how a "
        "network is written down, not only on what it computes"
    )

    targets: tuple[str, ...] | None = None
    """Outputs by name, linear ones only: contrast, logit and value, or q_value and advantage."""
    planes: Literal["all", "newest", "each"] = "all"
    """Frames of the stack: the sum over all, the newest alone, or a map for each."""
    action: str = "taken"
    """The explained action: taken, greedy or a name."""
    contrast: str | None = None
    """The action that output ``contrast`` compares with; the best other one if not given."""

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``.

        Raises:
            MissingExtra: Captum is not installed.
        """
        from agentlens.saliency.methods.deeplift.explainer import DeepLiftExplainer

        return DeepLiftExplainer(
            policy,
            facts,
            reference=parse_reference(self.reference),
            planes=self.planes,
            asked=AskedOptions(targets=self.targets, action=self.action, contrast=self.contrast),
        )


METHOD = DeepLift
