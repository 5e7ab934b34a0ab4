"""Pairs that an output depends on together: the synthetic function of the paper, and a control."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from agentlens.errors import InvalidArgument, NotFinite
from agentlens.words.interactions import CONTROL, InteractionPlan, detect_interactions
from agentlens.words.pairs import independent


def test_the_papers_ten_features_and_their_ten_pairs() -> None:
    """Function and planted pairs of Tsang et al. 2018, as in the demonstration of their code."""
    x = np.random.default_rng(0).uniform(-1, 1, (4000, 10))
    y = (
        np.exp(np.abs(x[:, 0] - x[:, 1]))
        + np.abs(x[:, 1] * x[:, 2])
        - (x[:, 2] ** 2) ** np.abs(x[:, 3])
        + (x[:, 0] * x[:, 3]) ** 2
        + np.log((x[:, 4:8] ** 2).sum(1))
        + x[:, 8]
        + 1 / (1 + x[:, 9] ** 2)
    )
    planted = {(0, 1), (1, 2), (2, 3), (0, 3), *itertools.combinations((4, 5, 6, 7), 2)}
    found = detect_interactions(x, y, [f"x{i}" for i in range(10)])
    pairs = list(itertools.combinations(range(10), 2))
    inside = np.array([found.strength[pair] for pair in pairs if pair in planted])
    outside = np.array([found.strength[pair] for pair in pairs if pair not in planted])
    area = (inside[:, None] > outside[None]).mean()
    assert found.fit > 0.95
    assert area >= 0.95
    assert found.control_rank > 3


def test_a_product_is_found_and_a_sum_is_not() -> None:
    x = np.random.default_rng(1).normal(size=(800, 3))
    plan = InteractionPlan(hidden=(20, 10), updates=300, l1=1e-3)
    found = detect_interactions(x, x[:, 0] * x[:, 1] + x[:, 2], ["a", "b", "c"], plan)
    assert set(found.ranked()[0][:2]) == {"a", "b"}
    assert found.names[-1] == CONTROL
    assert (found.strength == found.strength.T).all()
    again = detect_interactions(x, x[:, 0] * x[:, 1] + x[:, 2], ["a", "b", "c"], plan)
    assert np.array_equal(again.strength, found.strength)


def test_what_follows_another_is_fitted_without_it_and_the_weightier_object_stays() -> None:
    """The output needs ball and paddle; the foe follows the ball and must not stand in for it."""
    rng = np.random.default_rng(3)
    ball, paddle = rng.normal(size=(2, 900))
    foe = ball + 0.2 * rng.normal(size=900)
    table = np.stack([paddle, foe, ball], 1)
    names = ["paddle.y", "foe.y", "ball.y"]
    left, told = independent(names, table, {"paddle": 0.2, "foe": 0.1, "ball": 0.3})
    assert told == ("foe.y by ball.y",)
    assert np.array_equal(left[:, [0, 2]], table[:, [0, 2]])
    assert abs(np.corrcoef(left[:, 1], ball)[0, 1]) < 1e-9
    plan = InteractionPlan(hidden=(20, 10), updates=300, l1=1e-3)
    found = detect_interactions(left, paddle * ball, names, plan)
    assert set(found.ranked()[0][:2]) == {"paddle.y", "ball.y"}
    assert independent(names, table, {"paddle": 0.2, "foe": 0.9, "ball": 0.3})[1] == (
        "ball.y by foe.y",
    )


def test_two_attributes_of_one_object_are_left_as_they_are() -> None:
    column = np.arange(60.0)
    table = np.stack([column, 2 * column], 1)
    assert independent(["ball.y", "ball.x"], table, {"ball": 1.0})[1] == ()


def test_what_cannot_be_fitted_is_refused() -> None:
    x = np.random.default_rng(2).normal(size=(60, 2))
    with pytest.raises(InvalidArgument, match="outputs that change"):
        detect_interactions(x, np.zeros(60), ["a", "b"])
    with pytest.raises(InvalidArgument, match="50 rows"):
        detect_interactions(x[:9], x[:9, 0], ["a", "b"])
    with pytest.raises(NotFinite):
        detect_interactions(np.full((60, 2), np.nan), x[:, 0], ["a", "b"])
    with pytest.raises(InvalidArgument, match="whole numbers"):
        InteractionPlan(hidden=())
