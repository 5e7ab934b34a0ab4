"""Masks x reference x scores, evaluated: what every perturbation method does once it is bound.

Shape letters: F frames, T targets, P plane selections, M masks, K planes, H W observation,
gy gx grid rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch, Setup
from agentlens.saliency.engine.base import Perturbation
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.engine.settings import device_of
from agentlens.saliency.masks import MaskSet, plane_selections
from agentlens.saliency.question import Question, evaluate
from agentlens.saliency.references import parse_reference
from agentlens.saliency.targets import check_targets, default_targets
from agentlens.spec import GridSpec, TargetInfo

_ENERGY_MASKS = 256
"""Masks squared at a time for the energy control: bounds its memory."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """One perturbation method: masks, the planes they fall on, what fills them, what is scored.

    ``targets``: scores by name, None for the policy's defaults. The others: see ``Question``.
    """

    masks: MaskSet
    planes: str
    reference: str
    targets: tuple[str, ...] | None
    action: str = "taken"
    contrast: str | None = None
    temperature: float | None = None


class PerturbationExplainer:
    """A recipe bound to a policy; an ``Explainer``.

    Notes:
        F (1 + P M) forward passes a call, all scores from the same ones; none where only the
        agent-free energy is asked for.
    """

    def __init__(self, policy: Policy, setup: Setup, recipe: Recipe) -> None:
        wanted = recipe.targets
        if wanted is None:
            wanted = default_targets(policy.kind, policy.has_value)
        self.targets: tuple[TargetInfo, ...] = check_targets(
            wanted, policy.kind, policy.has_value, recipe.temperature
        )
        self.grid: GridSpec = recipe.masks.grid
        self.planes, selections = plane_selections(recipe.planes, policy.observation_shape[0])
        self._question = Question(
            policy=policy,
            action=recipe.action,
            contrast=recipe.contrast,
            temperature=recipe.temperature,
            groups=setup.groups,
        )
        self._reference, self._pictures = parse_reference(recipe.reference), setup.pictures
        masks = torch.from_numpy(recipe.masks.masks).to(device_of(policy))
        self._perturbation = Perturbation(masks=masks, selections=selections)
        self._engine = None
        self.engine, self.forward_passes = "none: agent-free", 0
        if any(info.name != "energy" for info in self.targets):
            build, name, reason = choose_engine(setup.engine, policy)
            self.engine = f"{name}: {reason}"
            self.forward_passes = 1 + len(selections) * len(masks)
            self._engine = build(
                policy,
                self._perturbation,
                memory_bytes=setup.memory_bytes,
                threads=setup.threads or torch.get_num_threads(),
            )

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        values, explained, halvings = self.score(frames)
        return MapBatch(values.reshape(*values.shape[:3], *self.grid.shape), explained, halvings)

    @torch.inference_mode()
    def score(self, frames: FrameBatch) -> MapBatch:
        """The score of every mask: as a call, but with values [F, T, P, M]."""
        references = self._reference.fill(frames, self._pictures)
        explained, halvings = frames.actions, 0
        found: dict[str, Tensor] = {}
        if self._engine is not None:
            outputs = self._engine(frames.observations, references, frames.states)
            halvings = outputs.halvings
            explained = self._question.explained(outputs.base, frames.actions)
            for name in self.names:
                if name != "energy":
                    found[name] = evaluate(
                        name, self._question, outputs.base, outputs.perturbed, explained
                    )
        if "energy" in self.names:
            found["energy"] = energy(frames.observations, references, self._perturbation)
        values = torch.stack([found[name].float() for name in self.names], 1)
        return MapBatch(values, explained, halvings)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(info.name for info in self.targets)


def energy(observations: Tensor, references: Tensor, perturbation: Perturbation) -> Tensor:
    """The agent-free control: ||o' - o||^2 of every mask, in squared observation units.

    Args:
        observations: [F, K, H, W].
        references: like the observations.
        perturbation: masks [M, H, W] and plane selections.

    Returns:
        [F, P, M], in the observations' precision.
    """
    squared = (references - observations).square()
    chosen = torch.stack(
        [squared[:, list(planes)].sum(1).flatten(1) for planes in perturbation.selections], 1
    )
    parts = [
        torch.stack([part.square() @ one.T for one in chosen])
        for part in torch.split(perturbation.masks.to(observations.dtype).flatten(1), _ENERGY_MASKS)
    ]
    return torch.cat(parts, 1).transpose(1, 2)
