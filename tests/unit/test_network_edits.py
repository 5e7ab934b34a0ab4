"""Places, taps and edits: what is silenced gives nothing, what is shammed changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument, ShapeError, UnknownName
from agentlens.network.edits import Edit, EditedPolicy, incoming_weights
from agentlens.network.operations import Operation
from agentlens.network.places import find_place, list_places, parse_unit
from agentlens.network.taps import read_places, tap
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy


@pytest.fixture(scope="module")
def stacked() -> Policy:
    return load_agent("pong-ppo").policy


@pytest.fixture(scope="module")
def recurrent() -> Policy:
    return load_agent("pong-recurrent").policy


def observations(policy: Policy, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, *policy.observation_shape, generator=generator)


def test_receptive_fields_of_the_nature_network(stacked: Policy) -> None:
    fields = {p.name: (p.receptive_px, p.stride_px) for p in list_places(stacked)}
    assert fields["torso.0"] == ((8, 8), (4, 4))
    assert fields["torso.2"] == ((20, 20), (8, 8))  # 8 + (4 - 1) * 4
    assert fields["torso.4"] == ((36, 36), (8, 8))  # 20 + (3 - 1) * 8
    assert fields["torso.7"] == (None, None)
    centres = find_place(stacked, "torso.4").centres
    assert centres is not None
    np.testing.assert_array_equal(centres[0], 17.5 + 8 * np.arange(7))  # of rows 0 to 35, 8 to 43
    assert find_place(stacked, "torso.7").centres is None


def test_a_place_reaches_exactly_its_receptive_field(stacked: Policy) -> None:
    place = find_place(stacked, "torso.4")
    blank = torch.zeros(1, *stacked.observation_shape)
    base = tap(stacked, [place], blank.numpy(), None)["torso.4"][0, :, 3, 3]
    for pixel, reached in ((24, True), (59, True), (23, False), (60, False)):
        lit = blank.clone()
        lit[0, :, pixel, 40] = 1  # value (3, 3) sees rows 24 to 59
        other = tap(stacked, [place], lit.numpy(), None)["torso.4"][0, :, 3, 3]
        assert (not np.array_equal(base, other)) == reached, pixel


def test_values_too_large_for_half_precision_stay_finite(stacked: Policy) -> None:
    place, seen = find_place(stacked, "torso.0"), 1e6 * observations(stacked).numpy()
    values = tap(stacked, [place], seen, None)[place.name]
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert np.abs(values).max() > np.finfo(np.float16).max


def test_unknown_places_and_units_are_named(stacked: Policy) -> None:
    with pytest.raises(UnknownName, match=r"torso\.4"):
        find_place(stacked, "torso.44")
    with pytest.raises(InvalidArgument, match="0 to 63"):
        parse_unit(stacked, "torso.2.unit.64")
    assert parse_unit(stacked, "torso.2.unit.63")[1] == (63,)


@pytest.mark.parametrize("operation", ["steer", "patch"])
def test_a_sham_edit_changes_nothing(stacked: Policy, operation: Operation) -> None:
    observation = observations(stacked)
    base, own = read_places(stacked, [find_place(stacked, "torso.5")], observation, None)
    values = None if operation == "steer" else own["torso.5"]
    place = find_place(stacked, "torso.5")
    sham = Edit(place=place, units=tuple(range(64)), operation=operation, values=values)
    edited = EditedPolicy(stacked, [sham])(observation)
    assert torch.equal(edited.preferences, base.preferences)


def test_ablated_units_are_silent_and_the_original_is_untouched(stacked: Policy) -> None:
    place, observation = find_place(stacked, "torso.8"), observations(stacked)
    before = stacked(observation).preferences
    weight, bias = dict(stacked.named_parameters())["chains.1.0.weight"], stacked.chains[1][0].bias  # type: ignore[index]
    _, values = read_places(stacked, [place], observation, None)
    kept = values["torso.8"].clone()
    kept[:, [3, 5]] = 0
    edited = EditedPolicy(stacked, [Edit(place=place, units=(3, 5))])
    expected = kept @ weight.T + bias
    torch.testing.assert_close(edited(observation).preferences, expected)
    assert torch.equal(stacked(observation).preferences, before)


def test_keep_is_the_complement_of_ablate(stacked: Policy) -> None:
    place, observation = find_place(stacked, "torso.5"), observations(stacked)
    kept = EditedPolicy(stacked, [Edit(place=place, units=(1, 2), operation="keep")])
    rest = tuple(u for u in range(64) if u not in (1, 2))
    ablated = EditedPolicy(stacked, [Edit(place=place, units=rest)])
    assert torch.equal(kept(observation).preferences, ablated(observation).preferences)


def test_memory_edits_reach_the_next_step_only(recurrent: Policy) -> None:
    observation, state = observations(recurrent), recurrent.initial_state(3)
    place = find_place(recurrent, "memory.cell")
    edited = EditedPolicy(recurrent, [Edit(place=place, units=tuple(range(128)))])
    plain, changed = recurrent(observation, state), edited(observation, state)
    assert torch.equal(plain.preferences, changed.preferences)
    assert plain.state is not None
    assert changed.state is not None
    assert torch.equal(plain.state[:, :128], changed.state[:, :128])
    assert not changed.state[:, 128:].any()


def test_values_of_another_shape_are_refused(stacked: Policy) -> None:
    place = find_place(stacked, "torso.8")
    edit = Edit(place=place, units=(0,), operation="patch", values=torch.zeros(7))
    with pytest.raises(ShapeError, match="512"):
        EditedPolicy(stacked, [edit])(observations(stacked))


def test_reweighed_units_are_what_their_weights_say_and_the_policy_is_as_before(
    stacked: Policy,
) -> None:
    place, observation = find_place(stacked, "torso.5"), observations(stacked)
    weights = incoming_weights(stacked, place)
    assert weights.shape == (64, 64 * 9 + 1)
    base, values = read_places(stacked, [place], observation, None)
    doubled = Edit(place=place, units=(3, 9), operation="reweigh", values=2 * weights)
    edited = EditedPolicy(stacked, [doubled])
    # a rectifier's values grow with its weights: as if twice the values had been put in
    patch = Edit(place=place, units=(3, 9), operation="patch", values=2 * values["torso.5"])
    expected = EditedPolicy(stacked, [patch])(observation).preferences
    for _ in range(2):  # the weights are put back after each pass
        torch.testing.assert_close(edited(observation).preferences, expected)
    assert torch.equal(incoming_weights(edited.inner, place), weights)
    assert torch.equal(stacked(observation).preferences, base.preferences)
    own = Edit(place=place, units=(3, 9), operation="reweigh", values=weights)
    assert torch.equal(EditedPolicy(stacked, [own])(observation).preferences, base.preferences)


def test_all_units_of_a_donor_make_the_rest_of_the_policy_see_what_it_sees(
    stacked: Policy,
) -> None:
    donor = load_agent("pong-ppo-early").policy
    place, observation = find_place(stacked, "torso.8"), observations(stacked)
    whole = Edit(place=place, units=tuple(range(512)), operation="patch", donor=donor)
    given = read_places(donor, [place], observation, None)[1]["torso.8"]
    head = stacked.chains[1][0]  # type: ignore[index]
    expected = given @ head.weight.T + head.bias
    edited = EditedPolicy(stacked, [whole])
    torch.testing.assert_close(edited(observation).preferences, expected)
    itself = Edit(place=place, units=(1, 2, 3), operation="patch", donor=stacked)
    same = EditedPolicy(stacked, [itself])(observation).preferences
    assert torch.equal(same, stacked(observation).preferences)


def test_edits_that_make_no_sense_are_refused(stacked: Policy) -> None:
    place = find_place(stacked, "torso.8")
    with pytest.raises(InvalidArgument, match="donor goes with patch"):
        Edit(place=place, units=(0,), donor=stacked)
    with pytest.raises(InvalidArgument, match="reweigh needs weights"):
        Edit(place=place, units=(0,), operation="reweigh")
    with pytest.raises(InvalidArgument, match="row of weights"):
        incoming_weights(stacked, find_place(stacked, "torso.6"))  # flattened
    wrong = Edit(place=place, units=(0,), operation="reweigh", values=torch.zeros(512, 2))
    with pytest.raises(ShapeError, match="512, 3137"):
        EditedPolicy(stacked, [wrong])(observations(stacked))
