"""What excites a planted detector: its patch at its place, of the palette's values, and no more."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.network.excitation import (
    Target,
    excite,
    field_of,
    palette_values,
    total_variation,
)
from agentlens.network.excite_plan import ExcitePlan
from agentlens.network.places import find_place, list_places
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, ObservationSpec
from agentlens.workflows.excite_frames import UnitCurve, strongest

PALETTE = np.array([0.0, 0.1, 0.5, 0.9], np.float32)
OBSERVATION = ObservationSpec(
    pool="none", grayscale="cv2", resize=(20, 20), interpolation="cv2-area", stack=2
)
NETWORK = NetworkSpec(
    chains=(
        ChainSpec(
            name="torso",
            layers=(
                LayerSpec(kind="conv", out=2, kernel=4, stride=4),
                LayerSpec(kind="relu"),
                LayerSpec(kind="flatten"),
                LayerSpec(kind="linear", out=3),
            ),
            output="logits",
        ),
    )
)


@pytest.fixture(scope="module")
def detector() -> Policy:
    """Unit 1 asks for a bright 4 x 4 patch in the newest plane, and is silent below it."""
    actions = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="sample")
    policy = build_policy(NETWORK, OBSERVATION, actions, seed=0)
    convolution = cast(Any, policy).chains[0][0]
    convolution.weight[1] = 0
    convolution.weight[1, 1], convolution.bias[1] = 1 / 16, -0.7
    return policy


def target(policy: Policy, at: tuple[int, int] = (2, 3)) -> Target:
    return Target(place=find_place(policy, "torso.1"), unit=1, at=at)


def test_the_planted_patch_appears_at_its_place_and_nothing_else_changes(detector: Policy) -> None:
    start = np.full((2, 20, 20), 0.1, np.float32)
    excited = excite(detector, target(detector), start, PALETTE, ExcitePlan(jitter=0))
    wanted = start.copy()
    wanted[1, 8:12, 12:16] = 0.9  # rows and columns of value (2, 3) at stride 4
    np.testing.assert_array_equal(excited.observation, wanted)
    assert (excited.before, excited.after) == (0.0, pytest.approx(0.2))
    assert excited.changed == pytest.approx(16 / 800)


def test_jitter_keeps_the_patch_within_its_reach(detector: Policy) -> None:
    start = np.full((2, 20, 20), 0.1, np.float32)
    excited = excite(detector, target(detector), start, PALETTE, ExcitePlan(jitter=1))
    changed = excited.observation != start
    assert changed[1, 9:11, 13:15].all()
    changed[1, 7:13, 11:17] = False
    assert not changed.any()
    assert set(np.unique(excited.observation)) <= set(PALETTE)


def test_a_start_that_excites_it_most_is_kept(detector: Policy) -> None:
    start = np.full((2, 20, 20), 0.9, np.float32)
    excited = excite(detector, target(detector), start, PALETTE, ExcitePlan(updates=20))
    np.testing.assert_array_equal(excited.observation, start)
    assert excited.changed == 0


def test_a_recorded_state_goes_where_the_policy_computes() -> None:
    """Without a GPU the place is a kind of number: a state left behind fits neither."""
    policy = copy.deepcopy(load_agent("pong-recurrent").policy).double()
    place = next(p for p in list_places(policy) if p.kind == "spatial")
    unit = Target(place=place, unit=0, at=(2, 2))
    start = np.full(tuple(policy.observation_shape), 0.1, np.float32)
    state = torch.zeros(1, policy.state_size)
    given, begun = (
        excite(policy, unit, start, PALETTE, ExcitePlan(updates=1), s) for s in (state, None)
    )
    assert (given.before, given.after) == (begun.before, begun.after)
    assert given.observation.dtype == np.float32


def test_the_field_is_what_the_value_reads(detector: Policy) -> None:
    place = find_place(detector, "torso.1")
    assert field_of(place, (2, 3), detector) == (8, 12, 12, 16)
    ppo = load_agent("pong-ppo").policy
    assert field_of(find_place(ppo, "torso.5"), (3, 3), ppo) == (24, 60, 24, 60)


def test_rare_values_are_not_of_the_palette() -> None:
    observations = np.full((1, 1, 200, 200), 0.25, np.float32)
    observations[0, 0, :50] = 0.75
    observations[0, 0, 0, 0] = 0.5  # one pixel of 40 000
    np.testing.assert_array_equal(palette_values(observations), np.float32([0.25, 0.75]))


def test_total_variation_by_hand() -> None:
    assert float(total_variation(torch.tensor([[0.0, 1.0], [0.0, 3.0]]))) == 2 + 1 + 3


def test_targets_that_are_none_are_refused(detector: Policy) -> None:
    place = find_place(detector, "torso.1")
    with pytest.raises(InvalidArgument, match="0 to 1"):
        Target(place=place, unit=2, at=(0, 0))
    with pytest.raises(InvalidArgument, match="row and a column"):
        Target(place=place, unit=1, at=None)
    memory = find_place(load_agent("pong-recurrent").policy, "memory.hidden")
    with pytest.raises(InvalidArgument, match="is memory"):
        Target(place=memory, unit=0, at=None)
    with pytest.raises(ShapeError, match="2, 20, 20"):
        excite(detector, target(detector), np.zeros((1, 20, 20)), PALETTE, ExcitePlan())
    with pytest.raises(InvalidArgument, match="jitter 40"):
        ExcitePlan(jitter=40)


def test_strongest_frames_lie_apart_and_a_silent_unit_has_none() -> None:
    values = np.zeros(60, np.float32)
    values[[3, 20, 21, 50]] = [9, 5, 7, 6]
    places = np.tile(np.arange(60)[:, None], 2)
    frames = strongest({4: UnitCurve(values=values, places=places)}, 3, unseen=5)
    assert [(f.episode, f.step, f.value, f.at) for f in frames[:2]] == [
        (4, 21, 7.0, (21, 21)),
        (4, 50, 6.0, (50, 50)),
    ]
    silent = UnitCurve(values=np.ones(60, np.float32), places=None)
    assert strongest({0: silent}, 3) == ()
