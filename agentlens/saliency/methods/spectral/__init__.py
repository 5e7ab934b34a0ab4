"""Spectral: coarse and fine parts of a layer's features, multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import Explainer, RecordingFacts, SaliencyMethod

if TYPE_CHECKING:
    from agentlens.policies.base import Policy


@dataclass(frozen=True, kw_only=True)
class Spectral(SaliencyMethod):
    """Features of a convolution that are strong both coarsely and in detail.

    Each channel is filtered twice by frequency, once keeping what is coarse and once what is fine;
    the two are multiplied and all channels added. It asks the policy nothing: no action, no
    value, no later layer. So it is drawn as a control, and is the same for any head.

    Notes:
        1 forward pass of the first layers a step. Refused for policies that do not begin with
        convolutions, pools and residual sums.

    References:
        Babiker & Goebel 2017 (Deep Visual Explanation), algorithm 1; ``targeted`` is their
        second pass. Deviations: the widths of the Gaussians are not given there and are ours;
        negative products, where fine structure is a dip, are set to 0; the first convolution by
        default, since later features are too few to filter.
    """

    summary: ClassVar[str] = "coarse times fine parts of a layer's features, by frequency"
    paper: ClassVar[str] = "Babiker & Goebel 2017"
    weakness: ClassVar[str] = (
        "knows no action and no later layer: the same map for a policy that looks at nothing"
    )

    layer: int = 0
    """Which convolution, from 0; -1 is the last."""
    coarse: float = 0.15
    """Width of the Gaussian that keeps low frequencies, cycles a feature (0.5 is the finest)."""
    fine: float = 0.05
    """Width of the Gaussian whose rest keeps high frequencies."""
    targeted: bool = False
    """Filter the sum in the same way once more."""

    def __post_init__(self) -> None:
        for name in ("coarse", "fine"):
            if not 0 < getattr(self, name) <= 10:
                raise InvalidArgument(f"{name} {getattr(self, name)}: expected more than 0, 10.")

    def bind(self, policy: Policy, compute: Compute, facts: RecordingFacts) -> Explainer:
        """Prepare for one policy; see ``SaliencyMethod``."""
        from agentlens.saliency.methods.spectral.explainer import SpectralExplainer

        return SpectralExplainer(policy, self)


METHOD = Spectral
