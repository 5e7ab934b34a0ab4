"""Policies that look at nothing: their outputs are asked for once, and no mask is laid on."""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.settings import device_of, dtype_of


class ConstantEngine:
    """Gives the outputs of the unperturbed observation for every mask."""

    def __init__(self, policy: Policy, masked: MaskedPlanes) -> None:
        self._policy, self._shape = policy, (len(masked.selections), len(masked.masks))

    @torch.inference_mode()
    def __call__(
        self, observations: Tensor, references: Tensor, states: Tensor | None
    ) -> PerturbedOutputs:
        """Evaluate; see ``Engine``."""
        del references
        base: PolicyOutput = self._policy(
            observations.to(device_of(self._policy), dtype_of(self._policy)), states
        )

        def repeated(values: Tensor) -> Tensor:
            frames, *rest = values.shape
            return values[:, None, None].expand(frames, *self._shape, *rest)

        value = None if base.value is None else repeated(base.value)
        perturbed = PolicyOutput(repeated(base.preferences), base.kind, value)
        return PerturbedOutputs(PolicyOutput(base.preferences, base.kind, base.value), perturbed, 0)


def build(
    policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
) -> ConstantEngine:
    """Build; a pass a frame needs neither memory nor threads."""
    del memory_bytes, threads
    return ConstantEngine(policy, perturbation)
