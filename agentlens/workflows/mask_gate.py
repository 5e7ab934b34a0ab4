"""The fidelity gate of a mask network: does it show what it stands for, on steps it never saw?

Shape letters: F frames, H W observation.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.drawing.upsample import plane_upsampler
from agentlens.metrics._ranks import spearman
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts
from agentlens.saliency.methods.greydanus import Greydanus
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.optimise.loss import ghost_share
from agentlens.saliency.optimise.network import MaskNetwork
from agentlens.saliency.optimise.problem import as_reference
from agentlens.saliency.optimise.relaxation import spread
from agentlens.saliency.optimise.solver import (
    MaskTask,
    hidden_outputs,
    kept_share,
    solve,
    task_score,
)
from agentlens.saliency.optimise.training import network_masks
from agentlens.saliency.references import blur

AREA = 0.1
"""The share of the observation that stays in the test."""

CLOSE, AHEAD, LEAST_RANK = 0.05, 0.05, 0.4


@dataclass(frozen=True, kw_only=True)
class GateRow:
    """One kind of map: the share of decisions kept with its strongest tenth, and the score (KL)."""

    kept: float
    score: float


@dataclass(frozen=True, kw_only=True)
class MaskGate:
    """Figures on held-out frames, and whether they suffice.

    ``rows``: by kind of map: network, per frame, mean mask, edges, perturbation, greydanus,
    random. ``rank``: Spearman correlation of the network's maps with the perturbation maps, mean
    over frames. ``speedup``: seconds a frame of the perturbation engine over the network's.
    ``ghosts``: the share of the network's mask values between .2 and .8.
    """

    frames: int
    rows: Mapping[str, GateRow]
    rank: float
    speedup: float
    ghosts: float

    @property
    def checks(self) -> dict[str, bool]:
        """Each condition of the gate by name."""
        rows = self.rows
        network = rows["network"]
        return {
            "keeps as many decisions as masks found for each frame": (
                network.kept >= rows["per frame"].kept - CLOSE
            ),
            "beats its own mean mask": network.kept > rows["mean mask"].kept + AHEAD,
            "is not below the edges": network.kept >= rows["edges"].kept,
            "changes the policy no more than the perturbation map's tenth": (
                network.score <= rows["perturbation"].score
            ),
            "changes the policy no more than the tenth of greydanus": (
                network.score <= rows["greydanus"].score
            ),
            "ranks places as the perturbation maps do": self.rank >= LEAST_RANK,
        }

    @property
    def passed(self) -> bool:
        """Whether all conditions hold."""
        return all(self.checks.values())

    def as_json(self) -> dict[str, Any]:
        """As an artefact keeps it."""
        return {
            "passed": self.passed,
            "frames": self.frames,
            "area": AREA,
            "rows": {name: dataclasses.asdict(row) for name, row in self.rows.items()},
            "rank": self.rank,
            "speedup": self.speedup,
            "ghosts": self.ghosts,
            "checks": self.checks,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class GateMethods:
    """Methods that hide one place after the other, bound: what a mask network is held against."""

    perturbation: Explainer
    greydanus: Explainer


def bind_gate(task: MaskTask, compute: Compute, facts: RecordingFacts) -> GateMethods:
    """Bind what a gate needs, before anything is learned.

    Args:
        task: what is wanted of the masks.
        compute: of the methods.
        facts: with the pictures that ``sweeping(task)`` asks for.

    Raises:
        InvalidArgument: a method cannot be had for this policy.
    """
    return GateMethods(
        perturbation=sweeping(task).bind(task.policy, compute, facts),
        greydanus=Greydanus().bind(task.policy, compute, facts),
    )


def sweeping(task: MaskTask) -> Perturbation:
    """The perturbation method that asks what masks are learned from; the median stands for a fill
    that is drawn."""
    return Perturbation(
        targets=(task.target,),
        reference=as_reference(task.fills.fill),
        action=task.question.action,
        temperature=task.question.temperature,
        merge_actions=task.question.groups is not None,
    )


def measure_gate(
    task: MaskTask, methods: GateMethods, network: MaskNetwork, frames: FrameBatch
) -> MaskGate:
    """Measure a mask network on frames that it did not learn from.

    Notes:
        As many per-frame optimisations and perturbation maps as frames.
    """
    observation = task.grid.observation
    start = time.perf_counter()
    quick = 1 - spread(network_masks(network, frames), observation).mean(1)
    network_s = time.perf_counter() - start
    start = time.perf_counter()
    perturbation = swept_maps(methods.perturbation, frames)
    swept_s = time.perf_counter() - start
    solved = 1 - spread(solve(task, frames).masks, observation).mean(1)
    edges = (frames.observations - blur(frames.observations, 3.0)).abs().amax(1)
    generator = torch.Generator().manual_seed(0)
    maps: dict[str, Tensor] = {
        "network": quick,
        "per frame": solved,
        "mean mask": quick.mean(0, keepdim=True).expand_as(quick),
        "edges": edges,
        "perturbation": perturbation.to(quick),
        "greydanus": swept_maps(methods.greydanus, frames).to(quick),
        "random": torch.rand(quick.shape, generator=generator).to(quick),
    }
    return MaskGate(
        frames=len(frames),
        rows={name: _tenth(task, frames, values) for name, values in maps.items()},
        rank=rank_agreement(quick, maps["perturbation"]),
        speedup=swept_s / max(network_s, 1e-9),
        ghosts=ghost_share(quick),
    )


def swept_maps(explainer: Explainer, frames: FrameBatch) -> Tensor:
    """The first target's maps in size, on pixels: float [F, H, W]."""
    values = explainer(frames).values[:, 0, 0].abs().cpu().numpy()
    enlarge = plane_upsampler(explainer.grid)
    return torch.from_numpy(np.stack([enlarge(m) for m in values]))


@torch.no_grad()
def _tenth(task: MaskTask, frames: FrameBatch, maps: Tensor) -> GateRow:
    """What remains of the policy where only the strongest tenth of each map stays."""
    flat = maps.flatten(1)
    count = round(AREA * flat.shape[1])
    chosen = flat.topk(count, dim=1).indices
    hidden = torch.ones_like(flat).scatter(1, chosen, 0.0).reshape(maps.shape)[:, None]
    hidden = hidden.expand(-1, len(task.selections), -1, -1)
    fill = task.fills.series(frames, 1)(0)
    base = task.policy(frames.observations, frames.states)
    changed = hidden_outputs(task, frames, hidden, fill)
    explained = task.question.explained(base, frames.actions)
    return GateRow(
        kept=float(kept_share(task.question, base, changed).mean()),
        score=float(task_score(task, base, changed, explained).mean()),
    )


def rank_agreement(first: Tensor, second: Tensor) -> float:
    """The mean over frames of Spearman's correlation of two maps' pixels [F, H, W]; a flat map
    ranks nothing, and its frame counts 0."""
    values = spearman(first.cpu().numpy(), second.cpu().numpy())
    return float(np.nan_to_num(values, nan=0.0).mean())
