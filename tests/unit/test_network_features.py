"""Sparse features and representation similarity, against planted truths and hand values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.network.features import (
    FeaturePlan,
    dead_share,
    explained_variance,
    learn_features,
    principal_rebuild,
)
from agentlens.network.similarity import linear_cka


def test_cka_is_one_for_a_rotation_and_near_zero_for_unrelated_layers() -> None:
    generator = np.random.default_rng(0)
    layer = generator.normal(size=(200, 30))
    rotation = np.linalg.qr(generator.normal(size=(30, 30)))[0]
    assert linear_cka(layer, 3 * layer @ rotation + 7) == pytest.approx(1, abs=1e-9)
    unrelated = [linear_cka(layer, generator.normal(size=(200, 300))) for _ in range(20)]
    assert abs(np.mean(unrelated)) < 0.01  # the plain estimate would say about .6 here


def test_cka_refuses_other_shapes_and_says_zero_for_a_constant_layer() -> None:
    with pytest.raises(ShapeError, match="3 steps"):
        linear_cka(np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ShapeError):
        linear_cka(np.zeros((5, 2)), np.zeros((6, 2)))
    assert linear_cka(np.ones((9, 2)), np.random.default_rng(0).normal(size=(9, 2))) == 0


def planted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of 2 of 20 directions in 12 dimensions, and the directions."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(7).normal(size=(20, 12))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.stack([generator.choice(20, 2, replace=False) for _ in range(count)])
    sizes = generator.uniform(1, 2, (count, 2, 1))
    return (directions[chosen] * sizes).sum(1), directions


def test_a_planted_superposition_is_recovered() -> None:
    layer, directions = planted(4000, seed=1)
    plan = FeaturePlan(active=2, features=40, updates=3000, learning_rate=3e-3)
    model = learn_features(layer, plan)
    learned = model.directions.numpy()
    learned = learned / np.linalg.norm(learned, axis=1, keepdims=True)
    best = (directions @ learned.T).max(1)
    assert (best > 0.9).mean() >= 0.9


def test_sparse_features_beat_as_many_principal_components_on_it() -> None:
    layer, _ = planted(4000, seed=1)
    other, _ = planted(500, seed=2)
    plan = FeaturePlan(active=2, features=40, updates=1500, learning_rate=3e-3)
    model = learn_features(layer, plan)
    features = model.encode(torch.from_numpy(other.astype(np.float32)))
    assert int((features != 0).sum(1).max()) <= 2
    sparse = explained_variance(other, model.decode(features).numpy())
    assert sparse > explained_variance(other, principal_rebuild(other, 2, layer)) + 0.2
    assert 0 <= dead_share(features.numpy()) < 1


def test_explained_variance_by_hand() -> None:
    layer = np.array([[0.0], [2.0]])
    assert explained_variance(layer, layer) == 1
    assert explained_variance(layer, np.array([[1.0], [1.0]])) == 0
    assert explained_variance(layer, np.array([[0.0], [1.0]])) == 0.5


def test_more_active_than_features_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="at most"):
        FeaturePlan(active=3, features=2)
