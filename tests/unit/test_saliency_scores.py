"""Scores by hand, and where they are at their limits."""

from __future__ import annotations

import math

import pytest
import torch

from agentlens.saliency import scores


def t(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def a(index: int) -> torch.Tensor:
    return torch.tensor(index)


HALF, SKEWED = t(0.0, 0.0), t(math.log(3.0), 0.0)


def test_kl_by_hand() -> None:
    # KL((1/2, 1/2) || (3/4, 1/4)) = ln 2 - ln(3)/2
    assert scores.kl(HALF, SKEWED).item() == pytest.approx(math.log(2) - math.log(3) / 2)
    assert scores.kl(SKEWED, SKEWED).item() == 0.0


def test_kl_keeps_its_precision_where_it_is_tiny() -> None:
    # KL(p || p') = ln cosh(x/2) of logits (0, 0) and (x, 0): x^2 / 8
    for x in (1e-3, 1e-6, 1e-9):
        assert scores.kl(HALF, t(x, 0.0)).item() == pytest.approx(x * x / 8, rel=1e-5)


@pytest.mark.parametrize("jump", [5.0, 200.0, 499.0, 501.0, 2000.0, 1e6])
def test_kl_is_the_plain_formula_where_that_is_exact(jump: float) -> None:
    before, after = t(0.3, -0.2, 1.0), t(0.3, -0.2, 1.0 + jump)
    plain = (before.softmax(-1) * (before.log_softmax(-1) - after.log_softmax(-1))).sum()
    assert scores.kl(before, after).item() == pytest.approx(plain.item(), rel=1e-9)


def test_log_probability_by_hand() -> None:
    assert scores.log_probability(HALF, SKEWED, a(0)).item() == pytest.approx(math.log(2 / 3))
    assert scores.log_probability(HALF, SKEWED, a(1)).item() == pytest.approx(math.log(2))


def test_sarfa_by_hand() -> None:
    # p = (.5, .25, .25), p' = (.25, .5, .25): d = .25, rest (.5, .5) against (2/3, 1/3)
    before, after = t(0.5, 0.25, 0.25).log(), t(0.25, 0.5, 0.25).log()
    relevance = 1 / (1 + 0.5 * math.log(0.5 / (2 / 3)) + 0.5 * math.log(0.5 / (1 / 3)))
    expected = 2 * 0.25 * relevance / (0.25 + relevance)
    assert scores.sarfa(before, after, a(0)).item() == pytest.approx(expected)
    assert scores.sarfa(before, after, a(1)).item() == 0.0


def test_sarfa_of_two_actions_has_relevance_one() -> None:
    # d = 3/4 - 1/2 = 1/4 and K = 1: 2 d / (d + 1) = 0.4
    assert scores.sarfa(SKEWED, HALF, a(0)).item() == pytest.approx(0.4)


def test_one_action_moves_no_policy() -> None:
    before, after = t(1.0), t(5.0)
    assert scores.kl(before, after).item() == 0.0
    assert scores.log_probability(before, after, a(0)).item() == 0.0
    assert scores.sarfa(before, after, a(0)).item() == 0.0
    assert scores.flip(before, after).item() == 0.0
    assert scores.runner_up(before, a(0)).item() == 0
    assert scores.contrast(before, after, a(0), a(0)).item() == 0.0
    assert scores.advantage(before, after, a(0)).item() == 0.0
    assert scores.gap(before, after, a(0)).item() == -4.0


def test_a_saturated_softmax_stays_finite_and_the_contrast_still_sees() -> None:
    before, after = t(200.0, 0.0), t(190.0, 10.0)
    for score in (scores.kl(before, after), scores.log_probability(before, after, a(0))):
        assert math.isfinite(score.item())
    assert 0 < scores.kl(before, after).item() < 1e-70
    assert scores.sarfa(before, after, a(0)).item() == 0.0
    assert scores.contrast(before, after, a(0), a(1)).item() == 20.0
    assert scores.half_squared(before, after).item() == 100.0
    certain = t(1e4, 0.0, -1e4)
    for index in range(3):
        assert torch.isfinite(scores.sarfa(certain, -certain, a(index)))
    assert scores.kl(certain, -certain).item() == pytest.approx(2e4)


def test_scores_of_q_values_by_hand() -> None:
    before, after = t(3.0, 1.0, 2.0), t(1.0, 1.5, 2.5)
    assert scores.gap(before, after, a(0)).item() == (3 - 2) - (1 - 2.5)
    assert scores.gap(before, after, a(1)).item() == (1 - 3) - (1.5 - 2.5)
    assert scores.q_value(before, after, a(0)).item() == 2.0
    assert scores.advantage(before, after, a(0)).item() == pytest.approx(2 - (2 - 0.5 - 0.5) / 3)
    assert scores.flip(before, after).item() == 1.0
    assert scores.contrast(before, after, a(0), a(2)).item() == (3 - 2) - (1 - 2.5)
    assert scores.half_squared(before, after).item() == 0.5 * (4 + 0.25 + 0.25)
    assert scores.runner_up(before, a(0)).item() == 2


def test_merging_adds_probabilities_and_takes_the_best_q() -> None:
    outputs = t(0.1, 0.2, 0.3, 0.4).log()
    merged = scores.merge(outputs, ((0, 3), (1, 2)), "logits")
    assert merged.exp().tolist() == pytest.approx([0.5, 0.5])
    assert scores.merge(t(1, 5, 3, 2), ((0, 3), (1, 2)), "q_values").tolist() == [2, 5]


def test_scores_broadcast_over_frames_selections_and_masks() -> None:
    before, after = torch.rand(2, 1, 1, 5), torch.rand(2, 3, 4, 5)
    action = torch.tensor([1, 4])[:, None, None]
    for found in (
        scores.kl(before, after),
        scores.sarfa(before, after, action),
        scores.log_probability(before, after, action),
        scores.gap(before, after, action),
        scores.contrast(before, after, action, scores.runner_up(before, action)),
    ):
        assert found.shape == (2, 3, 4)
        assert found.dtype == torch.float64
    one = scores.sarfa(before[1, 0, 0], after[1, 2, 3], action[1, 0, 0])
    assert scores.sarfa(before, after, action)[1, 2, 3].item() == pytest.approx(one.item())
