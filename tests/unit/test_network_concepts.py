"""The explainable embedding on a planted policy of three factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.network.concepts import (
    Embedding,
    EmbeddingPlan,
    learn_embedding,
    locality,
    orthogonality,
    policy_kl,
    pull_away,
    sensitivities,
)
from agentlens.network.independence import independent_directions


def planted(
    count: int, seed: int, normal: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three factors, a layer of 40 units that mixes them, and logits that read one each."""
    generator = np.random.default_rng(seed)
    bounded = generator.uniform(-np.sqrt(3), np.sqrt(3), (count, 3))  # of spread 1
    factors = generator.normal(size=(count, 3)) if normal else bounded
    mixing = np.random.default_rng(5).normal(size=(3, 40))
    layer = np.maximum(factors @ mixing, 0)
    logits = 2 * np.concatenate([factors, np.zeros((count, 1))], 1)
    return factors, layer, logits


@pytest.mark.parametrize("seed", [0, 1])
def test_each_of_three_planted_factors_is_recovered_by_a_number_of_its_own(seed: int) -> None:
    _, layer, logits = planted(4000, seed=1)
    factors, held_out, wanted = planted(500, seed=2)
    model = learn_embedding(layer, logits, EmbeddingPlan(numbers=3, updates=1000, seed=seed))
    inputs = torch.from_numpy(held_out.astype(np.float32))
    assert policy_kl(wanted, model(inputs).numpy()) < 0.02
    numbers = model.embed(inputs).numpy()
    assert orthogonality(numbers) > 0.9
    told = np.abs(np.corrcoef(numbers.T, factors.T)[:3, 3:])
    assert sorted(told.argmax(1)) == [0, 1, 2]  # a number of its own for each
    assert told.max(0).min() >= 0.9


def test_turning_the_numbers_changes_nothing_of_the_policy() -> None:
    _, layer, logits = planted(1000, seed=1)
    plans = [
        EmbeddingPlan(numbers=3, updates=100, sparse=0.1, independent=turn)
        for turn in (False, True)
    ]
    plain, turned = (learn_embedding(layer, logits, plan) for plan in plans)
    inputs = torch.from_numpy(layer.astype(np.float32))
    torch.testing.assert_close(plain(inputs), turned(inputs), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        plain.layer(plain.embed(inputs)), turned.layer(turned.embed(inputs)), atol=1e-4, rtol=1e-4
    )
    numbers = turned.embed(inputs).numpy()
    np.testing.assert_allclose(np.cov(numbers.T, bias=True), np.eye(3), atol=1e-3)
    sizes = np.linalg.norm(turned.outputs.weight.numpy(), axis=0)
    assert (np.diff(sizes) <= 0).all()


def test_normal_factors_are_recovered_up_to_a_rotation() -> None:
    _, layer, logits = planted(4000, seed=1, normal=True)
    factors, held_out, wanted = planted(500, seed=2, normal=True)
    model = learn_embedding(layer, logits, EmbeddingPlan(numbers=3, updates=1000))
    inputs = torch.from_numpy(held_out.astype(np.float32))
    assert policy_kl(wanted, model(inputs).numpy()) < 0.02
    design = np.concatenate([model.embed(inputs).numpy(), np.ones((500, 1))], 1)
    for factor in factors.T:
        fitted = design @ np.linalg.lstsq(design, factor, rcond=None)[0]
        assert np.corrcoef(fitted, factor)[0, 1] >= 0.9


def test_mixed_independent_numbers_are_told_apart_and_dependent_ones_refused() -> None:
    generator = np.random.default_rng(3)
    factors = np.stack([generator.uniform(-1, 1, 3000), generator.laplace(size=3000)], 1)
    mixed = factors @ np.array([[1.0, 0.8], [-0.5, 2.0]]) + 7
    turned = (mixed - mixed.mean(0)) @ independent_directions(mixed).T
    told = np.abs(np.corrcoef(turned.T, factors.T)[:2, 2:])
    assert told.max(0).min() > 0.99
    assert np.sort(told.ravel())[1] < 0.1
    with pytest.raises(InvalidArgument, match="follows from the others"):
        independent_directions(np.repeat(mixed[:, :1], 2, 1))


def test_locality_by_hand() -> None:
    assert locality(np.array([[0.0, 3.0, 0.0, 0.0]])) == 1
    assert locality(np.array([[2.0, 2.0, -2.0, 2.0]])) == 0
    assert locality(np.array([[1.0, 1.0, 0.0], [5.0, 0.0, 0.0]])) == 0.75


def test_sensitivities_of_a_linear_embedding_are_its_weights_times_the_spread() -> None:
    layer = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32) * [1, 2, 3, 4]
    model = Embedding(4, 3, EmbeddingPlan(numbers=2, hidden=8))
    model.encoder[1] = torch.nn.Identity()
    weight = (model.encoder[2].weight @ model.encoder[0].weight).detach().numpy()  # type: ignore[operator]
    np.testing.assert_allclose(
        sensitivities(model, layer), np.abs(weight) * layer.std(0), rtol=1e-4
    )


def test_pull_away_by_hand() -> None:
    weight = torch.ones(2, 2)
    same = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert float(pull_away(same, weight)) == pytest.approx(1)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert float(pull_away(apart, weight)) == pytest.approx(0)


def test_policy_kl_ignores_a_shift_of_all_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 4))
    assert policy_kl(logits, logits + 3) == pytest.approx(0, abs=1e-12)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="numbers 0"):
        EmbeddingPlan(numbers=0)
