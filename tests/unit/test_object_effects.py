"""What erasing objects does: against brute force by hand, and what Shapley values promise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.coalitions import plan_coalitions, shapley_interactions, shapley_values
from agentlens.saliency.methods.objects import Objects
from agentlens.saliency.object_effects import ObjectGame
from agentlens.saliency.question import Question
from tests.erasable import RectangleFrames
from tests.tiny import LinearPolicy, constant_policy

SHAPE = (2, 6, 9)
RECTANGLES = {"ball": (0, 2, 0, 2), "bat": (3, 5, 3, 5), "score": (0, 1, 6, 9)}


class PairPolicy(Policy):
    """The first action is likely only where ball and bat are both bright; the score adds alone.

    With b, p, s the brightness of one pixel of each: logits (4 b p + s, 0), value 2 b - p.
    """

    observation_shape = SHAPE
    action_meanings = ("NOOP", "FIRE")
    state_size = 0
    kind = "logits"
    has_value = True

    def forward(self, observation: torch.Tensor, state: torch.Tensor | None = None) -> PolicyOutput:
        ball, bat, score = (
            observation[:, 1, row, column] for row, column in ((0, 0), (3, 3), (0, 6))
        )
        first = 4 * ball * bat + score
        return PolicyOutput(
            torch.stack([first, torch.zeros_like(first)], 1), "logits", 2 * ball - bat
        )


def frames_of(policy: Policy, count: int = 1, fill: float = 0.0) -> FrameBatch:
    observations = torch.ones(count, *SHAPE)
    return FrameBatch(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.int64),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
        objects=RectangleFrames(observations, RECTANGLES, fill),
    )


def by_orders(value: dict[frozenset[int], float], players: int) -> list[float]:
    """Shapley values as they are defined: the mean gain over all orders."""
    gains = np.zeros(players)
    orders = list(itertools.permutations(range(players)))
    for order in orders:
        inside: frozenset[int] = frozenset()
        for player in order:
            gains[player] += value[inside | {player}] - value[inside]
            inside |= {player}
    return (gains / len(orders)).tolist()


def test_shares_are_those_of_brute_force_over_all_orders() -> None:
    policy = PairPolicy().eval()
    frames = frames_of(policy)
    game = ObjectGame(
        policy=policy,
        question=Question(policy=policy),
        scores=("kl", "log_probability", "value"),
        outputs=("log_probability", "contrast", "value"),
    )
    assert frames.objects is not None
    effects = game(frames, frames.objects)

    def contrast(inside: frozenset[int]) -> float:
        b, p, s = (float(player in inside) for player in range(3))
        return 4 * b * p + s

    subsets = [frozenset(c) for n in range(4) for c in itertools.combinations(range(3), n)]
    expected = by_orders({s: contrast(s) for s in subsets}, 3)
    assert expected == [2.0, 2.0, 1.0]
    np.testing.assert_allclose(effects.shares["contrast"][0], expected, atol=1e-5)
    log_p = {s: -math.log1p(math.exp(-contrast(s))) for s in subsets}
    np.testing.assert_allclose(effects.shares["log_probability"][0], by_orders(log_p, 3), atol=1e-5)
    np.testing.assert_allclose(effects.shares["value"][0], [2, -1, 0], atol=1e-5)
    np.testing.assert_allclose(effects.erasure["value"][0], [2, -1, 0], atol=1e-5)
    alone = log_p[frozenset({0, 1, 2})] - log_p[frozenset({1, 2})]
    np.testing.assert_allclose(effects.erasure["log_probability"][0, 0], alone, atol=1e-5)
    pairs = effects.interactions["contrast"][0]
    np.testing.assert_allclose(pairs, [[0, 4, 0], [4, 0, 0], [0, 0, 0]], atol=1e-5)
    assert effects.passes.tolist() == [8]


def test_shares_of_q_values_sum_to_the_whole_effect() -> None:
    generator = torch.Generator().manual_seed(1)
    policy = LinearPolicy(torch.randn(3, *SHAPE, generator=generator), kind="q_values")
    frames = frames_of(policy, 2, fill=0.3)
    assert frames.objects is not None
    game = ObjectGame(
        policy=policy, question=Question(policy=policy), scores=("gap",), outputs=("gap", "q_value")
    )
    effects = game(frames, frames.objects)
    hidden = torch.from_numpy(frames.objects.erased(0, [0, 7]))
    q_values = policy(hidden).preferences
    whole = q_values[0, 0] - q_values[1, 0]
    assert effects.shares["q_value"][0].sum() == pytest.approx(float(whole), abs=1e-5)


@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_efficiency_symmetry_and_dummy(players: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, 1 << players))
    shares = shapley_values(values)
    np.testing.assert_allclose(shares.sum(1), values[:, -1] - values[:, 0], atol=1e-10)
    numbers = np.arange(1 << players)
    ignoring_first = values[:, numbers & ~1]
    assert np.abs(shapley_values(ignoring_first)[:, 0]).max() < 1e-12
    if players > 1:
        swapped = numbers & ~3 | (numbers & 1) << 1 | (numbers & 2) >> 1
        alike = (values + values[:, swapped]) / 2
        found = shapley_values(alike)
        np.testing.assert_allclose(found[:, 0], found[:, 1], atol=1e-10)
        pairs = shapley_interactions(values)
        np.testing.assert_allclose(pairs, pairs.swapaxes(1, 2))


def test_sampled_shares_are_near_the_exact_ones_and_say_how_near() -> None:
    players = 9
    worth = np.arange(1.0, players + 1)
    plan = plan_coalitions(players, orders=16, seed=3)
    assert not plan.exact
    inside = plan.coalitions[:, None] >> np.arange(players) & 1
    linear = (inside * worth).sum(1)[None]
    np.testing.assert_allclose(plan.shares(linear).values[0], worth)
    np.testing.assert_allclose(plan.shares(linear).errors[0], 0, atol=1e-12)
    squared = plan.shares(linear**2)
    assert squared.values.sum() == pytest.approx(worth.sum() ** 2)
    exact = worth * worth.sum()
    assert (np.abs(squared.values[0] - exact) <= 4 * squared.errors[0] + 1e-9).all()
    again = plan_coalitions(players, orders=16, seed=3)
    assert (again.orders == plan.orders).all()


def test_a_policy_that_looks_at_nothing_has_no_effects() -> None:
    policy = constant_policy(shape=SHAPE)
    frames = frames_of(policy)
    assert frames.objects is not None
    game = ObjectGame(
        policy=policy, question=Question(policy=policy), scores=("kl",), outputs=("kl", "value")
    )
    effects = game(frames, frames.objects)
    assert (effects.erasure["kl"] == 0).all()
    assert (effects.shares["kl"] == 0).all()


def test_maps_hold_an_objects_effect_on_the_pixels_that_change() -> None:
    policy = PairPolicy().eval()
    frames = frames_of(policy)
    facts = RecordingFacts(object_names=tuple(RECTANGLES))
    method = Objects(targets=("value",), planes="each")
    maps = method.bind(policy, Compute(), facts)(frames).values
    assert maps.shape == (1, 1, 2, *SHAPE[1:])
    assert (maps[0, 0, 0] == 0).all()
    assert maps[0, 0, 1, 0, 0] == 2
    assert maps[0, 0, 1, 3, 3] == -1
    assert maps[0, 0, 1, 5, 5] == 0
    shared = Objects(targets=("contrast",), shares=True).bind(policy, Compute(), facts)
    np.testing.assert_allclose(shared(frames).values[0, 0, 0, 0, [0, 7]], [2, 1], atol=1e-5)
    assert shared.forward_passes == 8


def test_the_method_refuses_what_it_cannot_do() -> None:
    with pytest.raises(InvalidArgument, match="planes at all"):
        Objects(shares=True, planes="each")
    with pytest.raises(InvalidArgument, match="even number"):
        Objects(orders=5)
    policy = PairPolicy().eval()
    with pytest.raises(InvalidArgument, match="cannot be shared"):
        Objects(targets=("sarfa",), shares=True).bind(policy, Compute(), RecordingFacts())
    with pytest.raises(InvalidArgument, match="power of two"):
        shapley_values(np.zeros((1, 3)))
