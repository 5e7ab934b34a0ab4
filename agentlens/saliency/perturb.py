"""Masks x reference x scores, evaluated: what every perturbation method does once it is bound.

Shape letters: F frames, T targets, P plane selections, M masks, K planes, H W observation,
gy gx grid rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.policies.base import Policy
from agentlens.saliency.asked_targets import (
    Target,
    check_interactions,
    check_targets,
    interaction_info,
    wanted_targets,
)
from agentlens.saliency.base import FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.engine.base import Engine, MaskedPlanes
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.engine.settings import device_of, torch_threads
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.masks import MaskSet, plane_selections
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.question import ask, score_change
from agentlens.saliency.references import parse_reference
from agentlens.saliency.targets import default_targets
from agentlens.spec import GridSpec, TargetInfo

_ENERGY_MASKS = 256
"""Masks squared at a time for the energy control: bounds its memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PerturbationSpec:
    """One perturbation method: masks, the planes they fall on, what fills them, what is asked.

    Targets that are not ``asked`` for by name are the policy's defaults.
    """

    masks: MaskSet
    planes: str
    reference: str
    asked: AskedOptions


class PerturbationExplainer:
    """A spec bound to a policy; an ``Explainer``.

    A target "value interaction" is the score's joint effect over all planes less the sum of its
    single ones. Several families of masks (radii) give every target once for each.

    Notes:
        F (1 + P M) forward passes a call, all scores from the same ones, M more a frame for
        interactions; none where only the agent-free energy is asked for.
    """

    def __init__(
        self, policy: Policy, compute: Compute, facts: RecordingFacts, spec: PerturbationSpec
    ) -> None:
        defaults = default_targets(policy.kind, policy.has_value)
        self._wanted = wanted_targets(spec.asked, defaults)
        self._infos = _described(policy, spec, self._wanted)
        self._labels = spec.masks.labels
        self.targets: tuple[TargetInfo, ...] = tuple(
            replace(info, name=info.name + label) for info in self._infos for label in self._labels
        )
        self.grid: GridSpec = spec.masks.grid
        stack = policy.observation_shape[0]
        self.planes, selections = plane_selections(spec.planes, stack, policy.channels)
        if any(target.interaction for target in self._wanted):
            selections = (*selections, tuple(range(stack)))
        self._policy = policy
        self._question = ask(policy, spec.asked, facts)
        self._reference, self._pictures = parse_reference(spec.reference), facts.pictures
        masks = torch.from_numpy(spec.masks.masks).to(device_of(policy))
        self._masked = MaskedPlanes(masks=masks, selections=selections)
        self._engine: Engine | None = None
        self._scores = {target.score for target in self._wanted} - {"energy"}
        self.engine, self.forward_passes = "none: agent-free", 0
        if self._scores:
            build, name, reason = choose_engine(
                compute.engine, policy, of_each_mask=self._reference.of_each_mask
            )
            self.engine = f"{name}: {reason}"
            self.forward_passes = 1 + len(selections) * len(masks)
            self._engine = build(
                policy,
                self._masked,
                memory_bytes=compute.memory_bytes,
                threads=compute.threads or torch.get_num_threads(),
            )

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        values, explained, halvings, _ = self.score(frames)
        count, targets, planes, _ = values.shape
        parted = values.reshape(count, targets, planes, len(self._labels), *self.grid.shape)
        return MapBatch(parted.movedim(3, 2).flatten(1, 2), explained, halvings)

    @torch.inference_mode()
    @torch_threads(1)
    def score(self, frames: FrameBatch) -> MapBatch:
        """The score of every mask: as a call, but with values [F, T, P, M], families in a row.

        Engines set their own threads. What is around them is too small to be shared: on a busy
        machine torch's threads wait for each other longer than they work.
        """
        if self._reference.of_each_mask and len(frames) > 1:
            return frame_by_frame(frames, self._policy, self.score)
        if self._reference.of_each_mask:
            references = self._reference.fill_masks(frames, len(self._masked.masks))
        else:
            references = self._reference.fill(frames, self._pictures)
        explained, halvings = frames.actions, 0
        scores: dict[str, Tensor] = {}
        if self._engine is not None:
            outputs = self._engine(frames.observations, references, frames.states)
            halvings = outputs.halvings
            explained = self._question.explained(outputs.base, frames.actions)
            for name in self._scores:
                scores[name] = score_change(
                    name, self._question, outputs.base, outputs.perturbed, explained
                )
        if any(target.score == "energy" for target in self._wanted):
            scores["energy"] = energy(frames.observations, references, self._masked)
        values = [self._over_planes(scores, target).float() for target in self._wanted]
        return MapBatch(torch.stack(values, 1), explained, halvings)

    def _over_planes(self, scores: Mapping[str, Tensor], target: Target) -> Tensor:
        """One target [F, P, M] of the scores, whose last selection may be the joint one."""
        values, planes = scores[target.score], len(self.planes)
        single = values[:, :planes]
        if not target.interaction:
            return single
        return (values[:, planes:] - single.sum(1, keepdim=True)).expand_as(single)


def _described(
    policy: Policy, spec: PerturbationSpec, wanted: tuple[Target, ...]
) -> tuple[TargetInfo, ...]:
    """Descriptions of the targets, once it is clear that the policy can give them."""
    plain = [target.score for target in wanted if not target.interaction]
    joint = [target.score for target in wanted if target.interaction]
    scores = plain + [name for name in joint if name not in plain]
    infos = check_targets(scores, policy.kind, policy.has_value, spec.asked.temperature)
    merged = spec.asked.merge_actions
    frames = policy.observation_shape[0] // policy.channels
    check_interactions(joint, policy.kind, frames, spec.planes, merged)
    by_name = {info.name: info for info in infos}
    return tuple(
        interaction_info(by_name[target.score]) if target.interaction else by_name[target.score]
        for target in wanted
    )


def energy(observations: Tensor, references: Tensor, masked: MaskedPlanes) -> Tensor:
    """The agent-free control: ||o' - o||^2 of every mask, in squared observation units.

    Args:
        observations: [F, K, H, W].
        references: like the observations, or [F, M, K, H, W].
        masked: masks [M, H, W] and plane selections.

    Returns:
        [F, P, M], in the observations' precision.
    """
    masks = masked.masks.to(observations.dtype).flatten(1)
    if references.dim() == observations.dim() + 1:
        squared = (references - observations[:, None]).square()
        each = [squared[:, :, list(planes)].sum(2).flatten(2) for planes in masked.selections]
        return torch.stack([(masks.square() * planes).sum(-1) for planes in each], 1)
    squared = (references - observations).square()
    chosen = torch.stack(
        [squared[:, list(planes)].sum(1).flatten(1) for planes in masked.selections], 1
    )
    parts = [
        torch.stack([part.square() @ one.T for one in chosen])
        for part in torch.split(masks, _ENERGY_MASKS)
    ]
    return torch.cat(parts, 1).transpose(1, 2)
