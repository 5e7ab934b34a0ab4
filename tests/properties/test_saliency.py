"""What holds for every observation, policy and score."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import PolicyOutput
from agentlens.saliency import scores
from agentlens.saliency.asked_targets import check_targets
from agentlens.saliency.base import METHODS, FrameBatch, MapBatch, RecordingFacts
from agentlens.saliency.methods.gradient import Gradient
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.question import Question
from agentlens.saliency.targets import DIFFERENTIABLE_TARGETS, SCORES
from tests.tiny import LinearPolicy, constant_policy, planted_policy

FACTS = RecordingFacts()

ACTOR = ("kl", "log_probability", "contrast", "sarfa", "logit", "logit_l2", "value_l2", "value")
Q = ("gap", "q_value", "advantage", "flip", "value", "value_l2", "contrast", "logit_l2")
SOFT_Q = ("kl", "log_probability", "sarfa")


def explain(
    policy: LinearPolicy, method: object, observation: torch.Tensor, action: int = 0
) -> MapBatch:
    count = len(observation)
    frames = FrameBatch(
        observations=observation,
        actions=torch.full((count,), action),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
    )
    return method.bind(policy, Compute(), FACTS)(frames)


logits = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=7)


@given(logits, st.floats(-50, 50), st.data())
def test_scores_of_the_policy_do_not_see_a_shift_common_to_all_logits(
    found: list[float], shift: float, data: st.DataObject
) -> None:
    before = torch.tensor(found, dtype=torch.float64)
    change = data.draw(st.lists(st.floats(-5, 5), min_size=len(found), max_size=len(found)))
    after = before + torch.tensor(change, dtype=torch.float64)
    action = torch.tensor(data.draw(st.integers(0, len(found) - 1)))
    for score in (
        lambda b, a: scores.kl(b, a),
        lambda b, a: scores.log_probability(b, a, action),
        lambda b, a: scores.sarfa(b, a, action),
    ):
        plain = score(before, after).item()
        assert score(before, after + shift).item() == pytest.approx(plain, rel=1e-6, abs=1e-12)


@given(logits, st.data())
def test_scores_stay_in_their_range_and_are_zero_where_nothing_changes(
    found: list[float], data: st.DataObject
) -> None:
    before = torch.tensor(found)
    change = data.draw(
        st.lists(st.floats(-100, 100, width=32), min_size=len(found), max_size=len(found))
    )
    after = before + torch.tensor(change)
    action = torch.tensor(data.draw(st.integers(0, len(found) - 1)))
    assert scores.kl(before, after).item() >= 0
    assert 0 <= scores.sarfa(before, after, action).item() <= 1
    assert scores.half_squared(before, after).item() >= 0
    other = scores.runner_up(before, action)
    for value in (
        scores.kl(before, before),
        scores.log_probability(before, before, action),
        scores.sarfa(before, before, action),
        scores.half_squared(before, before),
        scores.contrast(before, before, action, other),
        scores.gap(before, before, action),
        scores.q_value(before, before, action),
        scores.advantage(before, before, action),
        scores.flip(before, before),
    ):
        assert value.item() == 0.0


@pytest.mark.parametrize("reference", ["blur", "constant:0.7", "noise"])
def test_a_constant_policy_gives_exact_zeros_for_every_score(reference: str) -> None:
    observation = torch.rand(2, 2, 12, 12)
    for kind, targets, temperature in (
        ("logits", ACTOR, None),
        ("q_values", Q, None),
        ("q_values", SOFT_Q, 0.5),
    ):
        method = Perturbation(
            targets=targets,
            radius=1.5,
            stride=3,
            planes="each",
            reference=reference,
            temperature=temperature,
        )
        assert (explain(constant_policy(kind), method, observation).values == 0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(["logits", "q_values"]))
def test_what_the_policy_ignores_scores_exactly_zero(seed: int, kind: str) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(3, 2, 9, 10, generator=generator)
    weights[:, :, :, 5:] = 0
    value = torch.randn(2, 9, 10, generator=generator)
    value[:, :, 5:] = 0
    policy = LinearPolicy(weights, None, value if kind == "logits" else None, kind=kind)
    observation = torch.rand(1, 2, 9, 10, generator=generator)
    targets = ACTOR if kind == "logits" else Q
    maps = explain(
        policy, Occlusion(size=1, stride=1, targets=targets, planes="each"), observation
    ).values
    assert (maps[..., 5:] == 0).all()
    assert (maps[:, 2, :, :, :5] != 0).any()
    assert (explain(policy, Gradient(planes="each"), observation).values[..., 5:] == 0).all()


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    plane=st.integers(0, 1),
    row=st.integers(0, 39),
    column=st.integers(0, 39),
    kind=st.sampled_from(["logits", "q_values"]),
)
def test_a_policy_that_reads_one_pixel_has_its_peak_there(
    plane: int, row: int, column: int, kind: str
) -> None:
    observation = torch.zeros(1, 2, 40, 40)
    observation[0, plane, row, column] = 1.0
    policy = planted_policy(plane, row, column, (2, 40, 40), kind)
    method = Perturbation(planes="each", reference="constant:0")
    explainer = method.bind(policy, Compute(), FACTS)
    maps = explain(policy, method, observation).values[0]
    for index, info in enumerate(explainer.targets[:2]):
        found = maps[index].abs()
        assert (found[[k for k in range(2) if k != plane]] == 0).all(), info.name
        top, left = np.unravel_index(int(found[plane].argmax()), explainer.grid.shape)
        for found_at, truth in (
            (explainer.grid.rows[top], row),
            (explainer.grid.columns[left], column),
        ):
            # within half a cell; near an edge a disc is highest at the edge, by its definition,
            # and divided by that, so that the next disc may win there
            assert abs(found_at - truth) <= (2.5 if 10 <= truth <= 29 else 5.0)


def test_a_constant_added_to_every_input_and_taken_off_inside_moves_nothing() -> None:
    weights, shift = torch.randn(3, 2, 12, 12), 0.4
    plain = LinearPolicy(weights)
    moved = LinearPolicy(weights, -shift * weights.flatten(1).sum(1))
    observation = torch.rand(1, 2, 12, 12)
    method = Perturbation(targets=("kl", "log_probability"), radius=1.5, stride=3, reference="blur")
    one = explain(plain, method, observation).values
    other = explain(moved, method, observation + shift).values
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_every_score_is_explained_in_the_order_asked() -> None:
    policy = planted_policy(0, 4, 4, (1, 9, 9))
    forward = Perturbation(targets=ACTOR, radius=1.0, stride=2, reference="blur")
    backward = Perturbation(targets=ACTOR[::-1], radius=1.0, stride=2, reference="blur")
    observation = torch.rand(1, 1, 9, 9)
    one, other = (explain(policy, m, observation).values for m in (forward, backward))
    assert torch.equal(one, other.flip(1))
    assert set(ACTOR) | set(Q) == {n for n, score in SCORES.items() if score.needs != "nothing"}


def test_every_described_score_has_its_formula() -> None:
    computed = {name for name, score in SCORES.items() if score.needs != "nothing"}
    assert set(scores.FORMULAS) == computed
    assert set(scores.DIFFERENTIATED) == DIFFERENTIABLE_TARGETS


def test_merged_groups_share_the_explained_action() -> None:
    policy = constant_policy()
    base = PolicyOutput(torch.tensor([[1.0, 1.5, 0.9]]), "logits")
    greedy = Question(policy=policy, action="greedy", groups=((0, 2), (1,)))
    # actions 0 and 2 together beat 1; of the two, 0 is the likelier
    assert greedy.explained(base, torch.tensor([1])).tolist() == [0]
    taken = Question(policy=policy, groups=((0, 2), (1,)))
    place, other = taken.positions(base, taken.explained(base, torch.tensor([2])))
    assert (place.tolist(), other.tolist()) == ([0], [1])


def test_what_no_policy_gives_is_refused_by_its_name() -> None:
    for name in {n for n, score in SCORES.items() if score.needs == "nothing"} - {"energy"}:
        assert name in METHODS.names()
        with pytest.raises(InvalidArgument, match=f"method {name}"):
            check_targets(["kl", name], "logits", True, None)
