"""The explainable embedding on a planted policy of three factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.network.concepts import (
    EmbeddingPlan,
    learn_embedding,
    orthogonality,
    policy_kl,
    pull_away,
)


def planted(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three factors, a layer of 40 units that mixes them, and logits that read one each."""
    generator = np.random.default_rng(seed)
    factors = generator.normal(size=(count, 3))
    mixing = np.random.default_rng(5).normal(size=(3, 40))
    layer = np.maximum(factors @ mixing, 0)
    logits = 2 * np.concatenate([factors, np.zeros((count, 1))], 1)
    return factors, layer, logits


def test_three_planted_factors_are_kept_and_told_apart() -> None:
    _, layer, logits = planted(4000, seed=1)
    factors, held_out, wanted = planted(500, seed=2)
    model = learn_embedding(layer, logits, EmbeddingPlan(numbers=3, updates=2500))
    inputs = torch.from_numpy(held_out.astype(np.float32))
    assert policy_kl(wanted, model(inputs).numpy()) < 0.02
    numbers = model.embed(inputs).numpy()
    assert orthogonality(numbers) > 0.9
    # a policy sees no shift common to all logits, so the factors show up to a rotation:
    # each is a linear function of the three numbers
    design = np.concatenate([numbers, np.ones((500, 1))], 1)
    for factor in factors.T:
        fitted = design @ np.linalg.lstsq(design, factor, rcond=None)[0]
        assert np.corrcoef(fitted, factor)[0, 1] >= 0.9


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
