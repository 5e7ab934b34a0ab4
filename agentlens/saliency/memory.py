"""A recurrent policy without its memory, or without its input.

Shape letters: F frames, T targets, A actions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch, MapBatch, Setup
from agentlens.saliency.engine.settings import device_of, dtype_of
from agentlens.saliency.masks import full_mask
from agentlens.saliency.question import Question, evaluate
from agentlens.saliency.references import parse_reference
from agentlens.saliency.targets import check_targets, default_targets


class MemoryExplainer:
    """Three forward passes a step, one row each; an ``Explainer`` on a grid of one place."""

    planes = ("memory", "input")
    forward_passes = 3
    engine = "three single passes"

    def __init__(
        self,
        policy: Policy,
        setup: Setup,
        *,
        reference: str,
        targets: tuple[str, ...] | None,
        action: str,
        contrast: str | None,
        temperature: float | None,
    ) -> None:
        if policy.state_size == 0:
            raise InvalidArgument(
                "method 'memory' needs a recurrent agent and this one has no memory: "
                "method 'temporal' compares the frames of its stack."
            )
        wanted = targets
        if wanted is None:
            defaults = default_targets(policy.kind, policy.has_value)
            wanted = tuple(name for name in defaults if name != "energy")
        self.targets = check_targets(wanted, policy.kind, policy.has_value, temperature)
        if any(info.role == "control" for info in self.targets):
            raise InvalidArgument("method 'memory' has no control scores: leave energy out.")
        self.grid = full_mask(policy.observation_shape[1:]).grid
        self._policy, self._pictures = policy, setup.pictures
        self._reference = parse_reference(reference)
        self._question = Question(
            policy=policy, action=action, contrast=contrast, temperature=temperature,
            groups=setup.groups,
        )  # fmt: skip

    @torch.inference_mode()
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        references = self._reference.fill(frames, self._pictures)
        place, dtype = device_of(self._policy), dtype_of(self._policy)
        maps, explained = [], []
        for index in range(len(frames)):
            assert frames.states is not None  # the policy is recurrent
            state = frames.states[index : index + 1].to(place, dtype)
            seen = frames.observations[index : index + 1].to(place, dtype)
            hidden = references[index : index + 1].to(place, dtype)
            base = self._policy(seen, state)
            changed = _pair(
                self._policy(seen, torch.zeros_like(state)), self._policy(hidden, state)
            )
            action = self._question.explained(base, frames.actions[index : index + 1])
            scored = [
                evaluate(info.name, self._question, base, changed, action) for info in self.targets
            ]
            maps.append(torch.stack(scored, 1).float())
            explained.append(action)
        return MapBatch(torch.cat(maps)[..., None], torch.cat(explained))


def _pair(first: PolicyOutput, second: PolicyOutput) -> PolicyOutput:
    """Two outputs of one row as perturbed outputs of shape [1, 2, 1, A]."""

    def join(one: Tensor | None, other: Tensor | None) -> Tensor | None:
        return None if one is None or other is None else torch.stack((one, other), 1)[:, :, None]

    return PolicyOutput(
        join(first.logits, second.logits),
        join(first.q_values, second.q_values),
        join(first.value, second.value),
        None,
    )
