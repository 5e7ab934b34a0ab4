"""The definition as code: one perturbed observation after the other. The oracle of the others.

Slow on purpose. In float64 (a policy moved there with ``.double()``) it gives the numbers that
every engine is measured against.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.settings import device_of, dtype_of, exact_float32, torch_threads


class ReferenceEngine:
    """Evaluates F (1 + P M) observations one at a time, in the policy's own precision."""

    def __init__(self, policy: Policy, perturbation: MaskedPlanes, *, threads: int = 0) -> None:
        self._policy, self._threads = policy, threads
        self._device, self._dtype = device_of(policy), dtype_of(policy)
        self._masks = perturbation.masks.to(self._device, self._dtype)
        self._selections = perturbation.selections

    @torch.inference_mode()
    def __call__(
        self, observations: Tensor, references: Tensor, states: Tensor | None
    ) -> PerturbedOutputs:
        """Evaluate; see ``Engine``."""
        observations = observations.to(self._device, self._dtype)
        references = references.to(self._device, self._dtype)
        of_each_mask = references.dim() == observations.dim() + 1
        base, perturbed = [], []
        with exact_float32(), torch_threads(self._threads):
            for index in range(len(observations)):
                state = None if states is None else states[index].to(self._device, self._dtype)
                base.append(self._evaluate(observations[index], state))
                for planes in self._selections:
                    for number, mask in enumerate(self._masks):
                        changed = observations[index].clone()
                        fill = references[index]
                        fill = fill[number] if of_each_mask else fill
                        for k in planes:
                            changed[k] += mask * (fill[k] - observations[index, k])
                        perturbed.append(self._evaluate(changed, state))
        shape = (len(observations), len(self._selections), len(self._masks))
        return PerturbedOutputs(_collect(base, shape[:1]), _collect(perturbed, shape), 0)

    def _evaluate(self, observation: Tensor, state: Tensor | None) -> PolicyOutput:
        output: PolicyOutput = self._policy(
            observation[None], None if state is None else state[None]
        )
        return output


def _collect(outputs: list[PolicyOutput], shape: tuple[int, ...]) -> PolicyOutput:
    def join(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).reshape(*shape, *parts[0].shape[1:])

    values = [output.value for output in outputs if output.value is not None]
    preferences = join([output.preferences for output in outputs])
    return PolicyOutput(preferences, outputs[0].kind, join(values) if values else None)


def build(
    policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
) -> ReferenceEngine:
    """Build; one observation at a time needs no memory budget."""
    del memory_bytes
    return ReferenceEngine(policy, perturbation, threads=threads)
