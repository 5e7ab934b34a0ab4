"""Curves: the policy asked again in a few changed situations, each a single pass of its own.

Shape letters: F frames, T targets, P situations, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.asked_targets import check_targets, wanted_targets
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.masks import full_mask
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.question import ask, score_change
from agentlens.saliency.targets import default_targets


@dataclass(frozen=True, kw_only=True, eq=False)
class Situations:
    """What is changed: ``outputs`` gives one output of one row for each name, from one frame.

    ``passes``: forward passes of all together.
    """

    names: tuple[str, ...]
    passes: int
    outputs: Callable[[FrameBatch], Sequence[PolicyOutput]]


class VariantExplainer:
    """A policy in changed situations; an ``Explainer`` on a grid of one place, a plane a
    situation."""

    engine = "single passes"

    def __init__(
        self,
        policy: Policy,
        facts: RecordingFacts,
        situations: Situations,
        asked: AskedOptions,
    ) -> None:
        defaults = default_targets(policy.kind, policy.has_value)
        wanted = wanted_targets(asked, [name for name in defaults if name != "energy"])
        self.targets = check_targets(
            list(map(str, wanted)), policy.kind, policy.has_value, asked.temperature
        )
        if any(info.role == "control" for info in self.targets):
            raise InvalidArgument("this curve has no control scores: leave energy out.")
        self.grid = full_mask(policy.observation_shape[1:]).grid
        self.planes, self.forward_passes = situations.names, 1 + situations.passes
        self._policy, self._situations = policy, situations
        self._question = ask(policy, asked, facts)

    @torch.inference_mode()
    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        base = self._policy(frame.observations, frame.states)
        changed = _row(self._situations.outputs(frame))
        action = self._question.explained(base, frame.actions)
        scored = [
            score_change(info.name, self._question, base, changed, action) for info in self.targets
        ]
        return MapBatch(torch.stack(scored, 1).float()[..., None], action)


def _row(outputs: Sequence[PolicyOutput]) -> PolicyOutput:
    """Outputs of one row each as perturbed outputs of shape [1, P, 1, A]."""

    def join(parts: list[Tensor]) -> Tensor:
        return torch.stack(parts, 1)[:, :, None]

    values = [output.value for output in outputs if output.value is not None]
    return PolicyOutput(
        join([output.preferences for output in outputs]),
        outputs[0].kind,
        join(values) if values else None,
    )
