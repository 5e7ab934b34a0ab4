"""DeepLIFT through Captum: the policy as a module with one output, and a check that the rule holds.

Shape letters: F frames, T targets, N rows, P plane selections, K planes, H W observation.
"""

from __future__ import annotations

import copy
import dataclasses
import importlib
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument, MissingExtra
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import check_targets, wanted_targets
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.engine.settings import device_of
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.question import Question, ask, differentiated_output
from agentlens.saliency.references import Reference
from agentlens.saliency.targets import LINEAR_TARGETS
from agentlens.spec import GridSpec, TargetInfo

COMPLETENESS = 1e-6
"""Contributions in float64 may miss the output's difference by this share of their size."""


class _Output(nn.Module):
    """One output of a policy: [N, K, H, W] to [N]."""

    def __init__(self, question: Question, name: str, action: Tensor, other: Tensor) -> None:
        super().__init__()
        self.policy = question.policy
        self._question, self._name, self._places = question, name, (action, other)

    def forward(self, points: Tensor) -> Tensor:
        """Evaluate."""
        action, other = (place.expand(len(points)) for place in self._places)
        return differentiated_output(self._name, self._question, self.policy(points), action, other)


class DeepLiftExplainer:
    """Contributions of every pixel; an ``Explainer``."""

    engine = "captum, float64, frame by frame"
    forward_passes = 4

    def __init__(
        self,
        policy: Policy,
        facts: RecordingFacts,
        *,
        reference: Reference,
        planes: str,
        asked: AskedOptions,
    ) -> None:
        self.targets = _linear_targets(policy, asked)
        self.planes, self._selections = plane_selections(
            planes, policy.observation_shape[0], policy.channels
        )
        self.grid = GridSpec.pixels(policy.observation_shape[1:])
        self._reference, self._pictures = reference, facts.pictures
        self._policy = copy.deepcopy(policy).double()
        self._question = ask(self._policy, asked, facts)
        self._deep_lift = _captum().DeepLift
        self._check_rule()

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        with torch.no_grad():
            base = self._policy(frame.observations)
        action = self._question.explained(base, frame.actions)
        places = self._question.positions(base, action)
        start = self._reference.fill(frame, self._pictures)
        attributed = [
            self._attribute(info.name, frame.observations, start, places) for info in self.targets
        ]
        contributions = torch.stack([values[0] for values, _ in attributed])
        gaps = torch.tensor([[missed for _, missed in attributed]], dtype=torch.float64)
        maps = torch.stack([contributions[:, list(p)].sum(1) for p in self._selections], 1)
        return MapBatch(maps.float()[None], action, gaps=gaps)

    def _attribute(
        self, name: str, observation: Tensor, start: Tensor, places: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, float]:
        """Contributions [1, K, H, W], and by how much their sum misses the output's difference."""
        output = _Output(self._question, name, *places)
        with warnings.catch_warnings(), torch.enable_grad():
            # Captum announces the hooks that it sets and removes
            warnings.simplefilter("ignore", UserWarning)
            contributions, missed = self._deep_lift(output).attribute(
                observation.detach().clone().requires_grad_(True),
                start.detach(),
                return_convergence_delta=True,
            )
        return contributions.detach(), float(missed.abs().max())

    def _check_rule(self) -> None:
        """Compare the sum of contributions with the output's difference, on random observations."""
        generator = torch.Generator().manual_seed(0)
        shape = (2, *self._policy.observation_shape)
        points = torch.rand(shape, generator=generator, dtype=torch.float64)
        one, other = points.to(device_of(self._policy))[:, None]
        first = torch.zeros(1, dtype=torch.int64, device=one.device)
        last = first + (
            len(self._policy.action_meanings) - 1 if self._question.groups is None else 0
        )
        for info in self.targets:
            try:
                contributions, missed = self._attribute(info.name, one, other, (first, last))
            except (AssertionError, RuntimeError) as error:
                raise InvalidArgument(_reason(str(error))) from error
            if not missed <= COMPLETENESS * float(contributions.abs().sum()):
                raise InvalidArgument(
                    _reason(f"the contributions to {info.name} miss its difference by {missed:.2g}")
                )


def _reason(why: str) -> str:
    return (
        "method 'deeplift' needs a policy made of layers alone, each used once, and this one is "
        f"not: {why.strip().rstrip('.')}. Use 'integrated-gradients'."
    )


def _linear_targets(policy: Policy, asked: AskedOptions) -> tuple[TargetInfo, ...]:
    if policy.state_size:
        raise InvalidArgument(
            "method 'deeplift' has no rule for the gates of a recurrent agent: "
            "use 'integrated-gradients'."
        )
    q_values = policy.kind == "q_values"
    critic = ("value",) if policy.has_value else ()
    defaults = ("q_value",) if q_values else ("contrast", *critic)
    wanted = list(map(str, wanted_targets(asked, defaults)))
    infos = check_targets(wanted, policy.kind, policy.has_value, None)
    for name in wanted:
        bent = name not in LINEAR_TARGETS or (name == "value" and q_values)
        if bent or (asked.merge_actions and name != "value"):
            raise InvalidArgument(
                f"target {name!r} is not linear in the outputs of the last layer, where DeepLIFT "
                "begins: use contrast, logit or value (q_value or advantage for Q-values), "
                "unmerged."
            )
    meaning = "positive: this pixel, against the reference, raises the output"
    return tuple(dataclasses.replace(info, signed=True, meaning=meaning) for info in infos)


def _captum() -> Any:
    try:
        return importlib.import_module("captum.attr")
    except ImportError as error:
        raise MissingExtra("captum", "captum", "method 'deeplift'") from error
