"""The rule of guided backpropagation: ReLUs that stop negative gradients."""

from __future__ import annotations

from torch import Tensor, nn

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.attribution import Attribution, PointOutputs, Rule
from agentlens.saliency.base import FrameBatch


def guided(policy: Policy) -> Rule:
    """The gradient at the observation, with the policy's ReLUs guided while it is worked out.

    Raises:
        InvalidArgument: the policy has no ReLU modules.
    """
    rectifiers = [module for module in policy.modules() if isinstance(module, nn.ReLU)]
    if not rectifiers:
        raise InvalidArgument(
            "method 'guided-backprop' stops gradients at ReLUs and this policy has none: "
            "use 'gradient' or 'integrated-gradients'."
        )

    def rule(frame: FrameBatch, outputs: PointOutputs) -> Attribution:
        hooks = [module.register_full_backward_hook(_stop_negative) for module in rectifiers]
        try:
            return Attribution(outputs.gradients(frame.observations)[:, 0])
        finally:
            for hook in hooks:
                hook.remove()

    return rule


def _stop_negative(
    _module: nn.Module, given: tuple[Tensor, ...] | Tensor, _after: tuple[Tensor, ...] | Tensor
) -> tuple[Tensor, ...]:
    return tuple(part.clamp(min=0) for part in given)
