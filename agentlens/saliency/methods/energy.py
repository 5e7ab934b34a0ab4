"""The agent-free control: how strong the perturbation itself is at each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import AskedOptions, DiscOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Energy(DiscOptions, SaliencyMethod):
    """Show where a perturbation changes the input most, without asking the agent.

    The map is ||o' - o||^2 for each soft disc. A saliency map that looks like it may show the
    input rather than the agent.

    Notes:
        No forward passes.
    """

    summary: ClassVar[str] = "control: how strong the perturbation itself is, whatever the agent"
    paper: ClassVar[str] = "none"
    weakness: ClassVar[str] = "says nothing about the agent: that is its use"

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec

        spec = PerturbationSpec(
            masks=self.discs(policy),
            planes=self.planes,
            reference=self.reference,
            asked=AskedOptions(targets=("energy",)),
        )
        return PerturbationExplainer(policy, compute, facts, spec)


METHOD = Energy
