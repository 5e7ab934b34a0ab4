"""Guided backpropagation: gradients that only pass where they raise something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import GradientOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop(GradientOptions, SaliencyMethod):
    """An output's derivative in which every ReLU stops what is negative on the way back, signed.

    At a ReLU with input z the gradient g becomes max(g, 0) where z > 0, else 0.

    Notes:
        1 forward and 1 backward pass a step and target (counted as 3 with the unperturbed one).
        Refused for policies without ReLU modules, such as those of ELUs.

    References:
        Springenberg et al. 2015, section 3.4. Adebayo et al. 2018 and Nie et al. 2018: it redraws
        the input's edges and hardly notices when later layers are made random.
    """

    summary: ClassVar[str] = "gradient with its negative parts stopped at every ReLU, signed"
    paper: ClassVar[str] = "Springenberg et al. 2015"
    weakness: ClassVar[str] = "shows the input's edges, and much the same for a random last layer"

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import GradientExplainer, MapMeaning
        from agentlens.saliency.methods.guided_backprop.rule import guided

        return GradientExplainer(
            policy,
            compute,
            facts,
            self,
            guided(policy),
            MapMeaning(
                signed=True,
                per_unit=True,
                meaning="raising this pixel raises the output along paths that only raise it",
                passes=3,
            ),
        )


METHOD = GuidedBackprop
