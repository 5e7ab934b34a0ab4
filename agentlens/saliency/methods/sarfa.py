"""SARFA: what is specific and relevant to one action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import ActionOptions, AskedOptions, DiscOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Sarfa(DiscOptions, ActionOptions, SaliencyMethod):
    """Hide one soft disc after the other; score what lowers one action and leaves the others be.

    The harmonic mean of d = p(a) - p'(a), where positive, and K = 1 / (1 + KL(rest || rest')).
    From 0 to 1.

    Notes:
        1 + P gy gx forward passes a step.

    References:
        Puri et al. 2020, "Explain Your Move", equations 1-4; KL in the direction of their code.
        Deviations: centres in the middle of the cells, energy control beside the map.
    """

    summary: ClassVar[str] = "soft discs hidden one by one; specific to the explained action"
    paper: ClassVar[str] = "Puri et al. 2020"
    weakness: ClassVar[str] = "0 where the action becomes likelier, and near 0 where p is near 1"

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec

        spec = PerturbationSpec(
            masks=self.discs(policy),
            planes=self.planes,
            reference=self.reference,
            asked=AskedOptions(
                targets=("sarfa", "energy"),
                action=self.action,
                temperature=self.temperature,
                merge_actions=self.merge_actions,
            ),
        )
        return PerturbationExplainer(policy, compute, facts, spec)


METHOD = Sarfa
