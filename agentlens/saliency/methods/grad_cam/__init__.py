"""Grad-CAM on the agent's convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod
from agentlens.saliency.options import AskedOptions

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class GradCam(AskedOptions, SaliencyMethod):
    """Activations of a convolution layer, weighted by how much their channel raises an output.

    One value a feature, on the true centres of the features' receptive fields, 0 or more.

    Notes:
        1 forward and 1 backward pass a step and target (counted as 3 with the unperturbed one).
        Refused for policies that do not begin with convolutions, pools and residual sums. The last
        convolution of a residual block gives what the block adds, not its sum.

    References:
        Selvaraju et al. 2017, equations 1 and 2.
    """

    summary: ClassVar[str] = "activations weighted by what their channel does to an output"
    paper: ClassVar[str] = "Selvaraju et al. 2017"
    weakness: ClassVar[str] = (
        "coarse; a channel counts as one, wherever it is active; no map a frame of the stack"
    )

    layer: int = -1
    """Which convolution, from 0; -1 is the last."""

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.gradients import MapMeaning
        from agentlens.saliency.methods.grad_cam.explainer import GradCamExplainer

        meaning = "features here, weighted by their channels, raise the output"
        return GradCamExplainer(
            policy,
            facts,
            self,
            MapMeaning(signed=False, per_unit=False, meaning=meaning, passes=3),
            layer=self.layer,
        )


METHOD = GradCam
