"""Gradients of what a policy says with respect to what it sees, frame by frame.

Shape letters: F frames, N points (observations evaluated together), T targets, P plane
selections, K planes, H W observation.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import check_targets, wanted_targets
from agentlens.saliency.attribution import Rule
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.engine.batched import row_bytes
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.options import AskedOptions, GradientOptions
from agentlens.saliency.question import Question, ask, differentiated_output
from agentlens.saliency.targets import DIFFERENTIABLE_TARGETS, default_differentiable
from agentlens.spec import GridSpec, TargetInfo


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapMeaning:
    """How a gradient method's maps are read.

    ``signed``: planes are added, else the largest is taken. ``per_unit``: the unit is the
    output's per unit of observation. ``meaning``: one sentence. ``passes``: forward passes a
    step, a backward pass as one more.
    """

    signed: bool
    per_unit: bool
    meaning: str
    passes: int


class GradientExplainer:
    """A rule bound to a policy; an ``Explainer`` with a value a pixel."""

    engine = "autograd, frame by frame"

    def __init__(
        self,
        policy: Policy,
        compute: Compute,
        facts: RecordingFacts,
        options: GradientOptions,
        rule: Rule,
        map_meaning: MapMeaning,
    ) -> None:
        self._policy, self._rule, self._signed = policy, rule, map_meaning.signed
        self.targets = differentiable_targets(policy, options, map_meaning)
        self.grid = GridSpec.pixels(policy.observation_shape[1:])
        stack = policy.observation_shape[0]
        self.planes, self._selections = plane_selections(options.planes, stack, policy.channels)
        self.forward_passes = map_meaning.passes
        self._rows = max(1, compute.memory_bytes // 4 // row_bytes(policy))
        self._question = ask(policy, options, facts)

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    def _explain(self, frame: FrameBatch) -> MapBatch:
        with torch.no_grad():
            base = self._policy(frame.observations, frame.states)
        action = self._question.explained(base, frame.actions)
        places = self._question.positions(base, action)
        outputs = _FrameOutputs(
            question=self._question,
            names=tuple(info.name for info in self.targets),
            states=frame.states,
            places=places,
            rows=self._rows,
        )
        values, gaps = self._rule(frame, outputs)
        planes = [values[:, list(chosen)] for chosen in self._selections]
        combined = [p.sum(1) if self._signed else p.amax(1) for p in planes]
        maps = torch.stack(combined, 1).float()[None]
        return MapBatch(maps, action, gaps=None if gaps is None else gaps[None])


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _FrameOutputs:
    """The outputs that one frame's question is about, ``rows`` points at once."""

    question: Question
    names: tuple[str, ...]
    states: Tensor | None
    places: tuple[Tensor, Tensor]
    rows: int

    def values(self, points: Tensor) -> Tensor:
        """From N points to the outputs there; see ``PointOutputs``."""
        with torch.no_grad():
            parts = [torch.stack(self._outputs(p)) for p in torch.split(points, self.rows)]
        return torch.cat(parts, 1)

    def gradients(self, points: Tensor) -> Tensor:
        """From N points to the gradients there; see ``PointOutputs``."""
        return torch.cat([self._gradient(p) for p in torch.split(points, self.rows)], 1)

    def _gradient(self, points: Tensor) -> Tensor:
        with torch.enable_grad():
            points = points.detach().clone().requires_grad_(True)
            gradients = [derivative(each.sum(), points) for each in self._outputs(points)]
        return torch.stack(gradients)

    def _outputs(self, points: Tensor) -> list[Tensor]:
        states = None if self.states is None else self.states.expand(len(points), -1)
        action, other = (place.expand(len(points)) for place in self.places)
        output = self.question.policy(points, states)
        return [
            differentiated_output(name, self.question, output, action, other) for name in self.names
        ]


def derivative(total: Tensor, variable: Tensor) -> Tensor:
    """d total / d variable; zeros where the one does not depend on the other. The graph is kept."""
    if not total.requires_grad:
        return torch.zeros_like(variable)
    gradient = torch.autograd.grad(total, variable, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(variable) if gradient is None else gradient


def differentiable_targets(
    policy: Policy, asked: AskedOptions, map_meaning: MapMeaning
) -> tuple[TargetInfo, ...]:
    """Descriptions of the differentiated outputs as this method's maps are read.

    Raises:
        InvalidArgument: a score that is a change, not an output.
    """
    wanted = wanted_targets(asked, default_differentiable(policy.kind, policy.has_value))
    infos = check_targets(list(map(str, wanted)), policy.kind, policy.has_value, asked.temperature)
    for info in infos:
        if info.name not in DIFFERENTIABLE_TARGETS:
            raise InvalidArgument(
                f"target {info.name!r} compares two observations and has no gradient: "
                f"use {', '.join(sorted(DIFFERENTIABLE_TARGETS))}."
            )
    return tuple(
        dataclasses.replace(
            info,
            signed=map_meaning.signed,
            unit=f"{info.unit} per observation unit" if map_meaning.per_unit else info.unit,
            meaning=map_meaning.meaning,
        )
        for info in infos
    )
