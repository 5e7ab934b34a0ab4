"""Sparse features: a layer rewritten as few of many directions that are active at a time.

Shape letters: T steps, C units of the layer, F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.counts import check_count, check_rate
from agentlens.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class FeaturePlan:
    """How sparse features are learned.

    Raises:
        InvalidArgument: a number out of range.
    """

    active: int = 16
    """Features that are not zero in a step (k)."""
    features: int = 256
    """Features in all."""
    updates: int = 2000
    """Steps of Adam."""
    batch: int = 256
    """Steps of the recording in each."""
    learning_rate: float = 1e-3
    """Of Adam; it falls to 0 linearly."""
    seed: int = 0
    """Of weights and batches."""

    def __post_init__(self) -> None:
        for name in ("active", "features", "updates", "batch"):
            check_count(name, getattr(self, name))
        check_count("seed", self.seed, least=0)
        check_rate("learning_rate", self.learning_rate)
        if self.active > self.features:
            raise InvalidArgument(
                f"{self.active} active of {self.features} features: expected at most as many."
            )


class SparseFeatures(nn.Module):
    """A TopK sparse autoencoder of one layer.

    Features are ``topk(W (x - b))`` with the k largest kept where they are positive; the layer is
    their sum of directions of length 1, plus b.

    References:
        Gao et al. 2024, "Scaling and evaluating sparse autoencoders", equations 2 and 3.
        Deviations: no auxiliary loss for dead features; their share is reported instead.
    """

    scale: Tensor

    def __init__(self, units: int, plan: FeaturePlan) -> None:
        super().__init__()
        self.plan = plan
        generator = torch.Generator().manual_seed(plan.seed)
        directions = torch.randn(plan.features, units, generator=generator)
        directions = directions / directions.norm(dim=1, keepdim=True)
        self.directions = nn.Parameter(directions)
        self.encoder = nn.Parameter(directions.clone())
        self.centre = nn.Parameter(torch.zeros(units))
        self.register_buffer("scale", torch.ones(()))

    def encode(self, layer: Tensor) -> Tensor:
        """Features of a layer's values: [T, C] -> [T, F], at most ``active`` of them not zero."""
        dense = (layer / self.scale - self.centre) @ self.encoder.T
        top = dense.topk(self.plan.active, dim=1)
        return torch.zeros_like(dense).scatter(1, top.indices, top.values.relu())

    def decode(self, features: Tensor) -> Tensor:
        """The layer that features stand for: [T, F] -> [T, C]."""
        directions = self.directions / self.directions.norm(dim=1, keepdim=True)
        layer: Tensor = (features @ directions + self.centre) * self.scale
        return layer

    def forward(self, layer: Tensor) -> Tensor:
        """The layer as its sparse features give it: [T, C]."""
        rebuilt: Tensor = self.decode(self.encode(layer))
        return rebuilt


def learn_features(layer: np.ndarray, plan: FeaturePlan) -> SparseFeatures:
    """Learn sparse features of a layer's values.

    Args:
        layer: [T, C].
        plan: how many, how sparse, how long.

    Notes:
        ``updates`` steps of ``batch`` rows: seconds for 512 units on a CPU.
    """
    data = torch.from_numpy(np.asarray(layer, np.float32))
    model = SparseFeatures(data.shape[1], plan)
    with torch.no_grad():
        model.scale.copy_(data.std().clamp_min(1e-6))
        model.centre.copy_((data / model.scale).mean(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
    for update, rows in enumerate(_batches(len(data), plan)):
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * (1 - update / plan.updates)
        batch = data[rows]
        loss = ((model(batch) - batch) / model.scale).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval().requires_grad_(False)


def explained_variance(layer: np.ndarray, rebuilt: np.ndarray) -> float:
    """1 less the share of a layer's variance that is lost in the rebuilt one; both [T, C]."""
    lost = np.square(layer.astype(np.float64) - rebuilt).sum()
    spread = np.square(layer - layer.mean(0, dtype=np.float64)).sum()
    return float(1 - lost / spread) if spread > 0 else 0.0


def principal_rebuild(layer: np.ndarray, count: int, fitted_on: np.ndarray) -> np.ndarray:
    """A layer rebuilt from ``count`` principal components: the dense control, [T, C].

    Args:
        layer: [T, C].
        count: components kept.
        fitted_on: [N, C], the steps that the components are taken from.
    """
    centre = fitted_on.mean(0, dtype=np.float64)
    _, _, components = np.linalg.svd(fitted_on - centre, full_matrices=False)
    kept = components[:count]
    return np.asarray((layer - centre) @ kept.T @ kept + centre)


def dead_share(features: np.ndarray) -> float:
    """The share of features [T, F] that are zero on every step."""
    return float((~(features != 0).any(0)).mean())


def _batches(count: int, plan: FeaturePlan) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(plan.seed)
    for _ in range(plan.updates):
        yield torch.randint(count, (min(plan.batch, count),), generator=generator)
