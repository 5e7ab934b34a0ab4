"""What looks inside an agent on its recording: planted features, numbers and units are named."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.network.concepts import EmbeddingPlan, learn_head, policy_kl
from agentlens.network.places import find_place
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, ObservationSpec
from agentlens.workflows.dissect import SampledSteps, box_coordinates
from agentlens.workflows.edit import edit_changes
from agentlens.workflows.edit_arms import edit_arms
from agentlens.workflows.edit_choice import read_units
from agentlens.workflows.edit_plan import ABLATE, EditPlan
from agentlens.workflows.embedding import name_numbers, principal_directions, principal_numbers
from agentlens.workflows.features import feature_matches
from agentlens.workflows.inside import (
    Inside,
    living_units,
    patched_preferences,
    preferences_of,
)
from agentlens.workflows.joint_units import most_carrying
from agentlens.workflows.unit_effects import (
    Asked,
    carried_kl,
    measured,
    object_path,
    silenced_kl,
)

ACTIONS = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="sample")
OBSERVATION = ObservationSpec(
    pool="none", grayscale="cv2", resize=(12, 10), interpolation="cv2-area", stack=2
)
NETWORK = NetworkSpec(
    chains=(
        ChainSpec(
            name="torso",
            layers=(
                LayerSpec(kind="conv", out=3, kernel=3, stride=1, padding=1),
                LayerSpec(kind="relu"),
                LayerSpec(kind="flatten"),
                LayerSpec(kind="linear", out=8),
                LayerSpec(kind="relu"),
                LayerSpec(kind="linear", out=3),
            ),
            output="logits",
        ),
    )
)


def inside(steps: int = 100) -> Inside:
    """A small untrained agent on noise."""
    generator = np.random.default_rng(0)
    policy = build_policy(NETWORK, OBSERVATION, ACTIONS, seed=1)
    twin = build_policy(NETWORK, OBSERVATION, ACTIONS, seed=2)
    sampled = SampledSteps(
        observations=generator.random((steps, 2, 12, 10), np.float32),
        states=None,
        masks={},
        attributes={},
        coordinates={},
        origins=np.zeros((steps, 2), np.int64),
    )
    return Inside(
        recording=cast(Any, None),
        agent=cast(Any, SimpleNamespace(policy=policy)),
        twin=twin,
        steps=sampled,
        preferences=preferences_of(policy, sampled, slice(None)),
    )


def test_patching_in_what_was_there_changes_next_to_nothing() -> None:
    agent = inside()
    place = agent.vector_place("torso.4")
    layer = agent.layer(place)
    assert (agent.learned, agent.held) == (slice(0, 80), slice(80, 100))
    given = patched_preferences(agent, place, layer[agent.held])
    assert given is not None
    np.testing.assert_allclose(given, agent.preferences[agent.held], atol=2e-3)  # float16 taps
    other = patched_preferences(agent, place, layer[agent.held][::-1])
    assert other is not None
    assert np.abs(other - agent.preferences[agent.held]).max() > 0.01
    assert not np.allclose(layer, agent.layer(place, untrained=True))


def test_a_spatial_place_is_refused() -> None:
    agent = inside()
    assert find_place(agent.agent.policy, "torso.1").kind == "spatial"
    with pytest.raises(InvalidArgument, match="3 x 12 x 10"):
        agent.vector_place("torso.1")


def test_a_planted_feature_is_named_and_noise_is_not() -> None:
    generator = np.random.default_rng(1)
    own, twin = generator.normal(size=(2, 300, 20)).clip(0)
    above = np.sin(np.arange(300) / 5) > 0
    own[:, 4] = above * generator.uniform(1, 2, 300)
    matches = feature_matches(own, twin, {"above": above, "left": generator.random(300) > 0.5})
    best = max(matches, key=lambda match: match.excess)
    assert (best.unit, best.concept) == (4, "above")
    assert best.score > 0.99
    assert best.excess > 0.3
    assert sum(match.excess > 0.05 for match in matches) == 1


def test_coordinates_are_middles_and_missing_out_of_sight() -> None:
    edges = np.array([[[10, 14, 20, 22]], [[12, 16, 20, 22]], [[0, 0, 0, 0]]], float)
    drawn = np.array([[True], [True], [False]])
    coordinates = box_coordinates(edges, drawn, ["ball"])
    assert list(coordinates) == ["ball row"]  # the column never changes
    np.testing.assert_array_equal(coordinates["ball row"], [12, 14, np.nan])


def test_a_number_that_follows_a_coordinate_is_named_and_a_constant_one_is_not() -> None:
    generator = np.random.default_rng(2)
    row, column = generator.uniform(0, 160, (2, 200))
    row[::4] = np.nan
    noise = generator.normal(size=200)
    numbers = np.stack([-np.nan_to_num(row) + noise, np.ones(200)], 1)
    first, second = name_numbers(numbers, {"ball column": column, "ball row": row})
    assert (first.number, first.coordinate) == (0, "ball row")
    assert first.correlation < -0.99
    assert first.rolled < 0.3
    assert np.isnan(second.correlation)
    with pytest.raises(InvalidArgument, match="longer game"):
        name_numbers(numbers, {})


def test_a_linear_policy_of_two_components_is_learned_by_its_head() -> None:
    generator = np.random.default_rng(3)
    layer = generator.normal(size=(400, 2)) @ generator.normal(size=(2, 6)) + 3
    numbers = principal_numbers(layer, layer, principal_directions(layer, 2))
    np.testing.assert_allclose(numbers.std(0), 1, atol=1e-5)
    np.testing.assert_allclose(numbers.T @ numbers / 400, np.eye(2), atol=1e-4)
    wanted = numbers @ generator.normal(size=(2, 3))
    head = learn_head(numbers, wanted, EmbeddingPlan(numbers=2, updates=400, learning_rate=0.03))
    given = numbers @ head.weight.numpy().T + head.bias.numpy()
    assert policy_kl(wanted, given) < 0.005
    assert policy_kl(wanted, np.zeros_like(wanted)) > 0.1


def test_the_only_unit_that_is_used_moves_the_policy_and_the_sham_does_not() -> None:
    agent = inside()
    head = cast(Any, agent.agent.policy).chains[0][5]
    head.weight.zero_()
    head.weight[:, 3] = torch.tensor([2.0, -2.0, 1.0])
    dense = cast(Any, agent.agent.policy).chains[0][3]
    dense.bias[3] = 1.0  # the unit is on in every step
    dense.weight[3] *= 5
    agent = dataclasses.replace(
        agent, preferences=preferences_of(agent.agent.policy, agent.steps, slice(None))
    )
    chosen = read_units(agent.agent.policy, ["torso.4.unit.3"])
    changes = edit_changes(agent, edit_arms(agent, chosen, ABLATE))
    named = [change for change in changes if change.arm == "named"]
    random = [change for change in changes if change.arm == "random"]
    sham = [change for change in changes if change.arm == "sham"]
    assert (len(named), len(random), len(sham)) == (1, 20, 1)
    assert named[0].units == "torso.4.unit.3"
    assert named[0].kl > 1e-4
    assert {change.kl for change in random} == {0.0}
    assert all("unit.3" not in change.units for change in random)
    assert (sham[0].kl, sham[0].total_variation) == (0.0, 0.0)


def test_random_units_are_pushed_as_far_as_the_named_ones_and_are_others() -> None:
    agent = inside()
    layer = agent.layer(find_place(agent.agent.policy, "torso.4"))
    held = layer[:, 1] > np.median(layer[:, 1])
    steps = dataclasses.replace(agent.steps, attributes={"planted": held})
    agent = dataclasses.replace(agent, steps=steps)
    plan = EditPlan(operation="steer", towards="planted")
    direction = layer[held].mean(0) - layer[~held].mean(0)
    arms = edit_arms(agent, {"torso.4": (1, 2)}, plan)
    pushes = [arm.edits[0] for arm in arms if arm.arm == "random"]
    for push in pushes:
        assert push.values is not None
        assert not {1, 2} & set(push.units)
        given = sorted(push.values[list(push.units)].tolist())
        np.testing.assert_allclose(given, sorted(direction[[1, 2]]), atol=1e-6)
    assert len({push.units for push in pushes}) > 3
    whole = edit_arms(agent, {"torso.4": tuple(range(8))}, plan)
    for arm in whole:
        if arm.arm == "random":
            given = sorted(np.asarray(arm.edits[0].values).tolist())
            np.testing.assert_allclose(given, sorted(direction), atol=1e-6)


def test_more_than_half_of_a_layer_and_no_units_are_refused() -> None:
    agent = inside()
    policy = agent.agent.policy
    chosen = read_units(policy, ["torso.4.unit.3", "torso.4.unit.1", "torso.4.unit.3"])
    assert chosen == {"torso.4": (1, 3)}
    with pytest.raises(InvalidArgument, match="at most half"):
        edit_arms(agent, {"torso.4": (0, 1, 2, 3, 4)}, ABLATE)
    with pytest.raises(InvalidArgument, match="no units"):
        read_units(policy, [])


def agent_that_sees_a_ball() -> tuple[Inside, Asked, np.ndarray]:
    """Of eight dense units 0 and 1 see a ball, 2 another place; 0 and 2 are used, others dead.

    With it how its fourth layer is asked, and the observations without the ball.
    """
    agent = inside(steps=40)
    policy = agent.agent.policy
    chain = cast(Any, policy).chains[0]
    dense, head = chain[3], chain[5]
    dense.weight.zero_()
    dense.bias.fill_(1.0)
    # entries of the flattened 3 x 12 x 10 features: channel 0 at row 5, column 5 sees the object
    dense.weight[0, 55], dense.weight[1, 55], dense.weight[2, 0] = 1.0, 1.0, 1.0
    head.weight.zero_()
    head.weight[:, 0] = torch.tensor([2.0, -2.0, 0.0])  # unit 1 is not used
    head.weight[:, 2] = torch.tensor([2.0, -2.0, 0.0])
    chain[0].weight.abs_()
    chain[0].bias.zero_()
    without = agent.steps.observations.copy()
    without[:, :, 4:7, 4:7] = 0
    asked = Asked(
        policy=policy,
        place=find_place(policy, "torso.4"),
        observations=agent.steps.observations,
        states=None,
    )
    return agent, asked, without[measured(40)]


def test_what_an_object_does_through_a_unit_is_told_apart_from_what_the_unit_does() -> None:
    agent, asked, without = agent_that_sees_a_ball()
    concepts = ["ball above wall", "ball", "ball", *["wall"] * 5]
    carried = carried_kl(asked, concepts, {"ball": without})
    assert carried[0] > 1e-3
    assert carried[1:3] == (0.0, 0.0)  # not used; used, and reads another place
    assert np.isnan(carried[3:]).all()  # observations without their object are not known
    means = agent.layer(asked.place).mean(0)
    silenced = silenced_kl(asked, means)
    assert min(silenced[0], silenced[2]) > 1e-6
    assert silenced[1] == 0.0


def test_units_that_together_carry_an_object_are_added_one_by_one() -> None:
    agent, asked, without = agent_that_sees_a_ball()
    head = cast(Any, agent.agent.policy).chains[0][5]
    head.weight[:, 1] = torch.tensor([0.5, -0.5, 0.0])  # sees the ball, and is hardly used
    path = object_path(asked, without)
    living = living_units(agent, asked.place)
    assert living.tolist() == [0, 1, 2]  # the others give their bias at every step
    carrying = most_carrying(path, "ball", living, 3)
    assert carrying.units == (0, 1, 2)
    assert carrying.names[0] == "torso.4.unit.0"
    first, second, third = carrying.carried
    assert 0 < first < second == third == carrying.erased  # all that sees it is all of it
    assert first == path.carried([0])


def test_random_units_are_drawn_from_those_that_ever_change() -> None:
    agent, _, _ = agent_that_sees_a_ball()
    arms = edit_arms(agent, {"torso.4": (0,)}, ABLATE)
    drawn = {arm.units for arm in arms if arm.arm == "random"}
    assert drawn == {"torso.4.unit.1", "torso.4.unit.2"}
    with pytest.raises(InvalidArgument, match="where 3 ever change"):
        edit_arms(agent, {"torso.4": (0, 1)}, ABLATE)
