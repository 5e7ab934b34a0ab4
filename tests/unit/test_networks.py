"""Networks from declared chains: what they compute, what they refuse, and their trunk."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from agentlens.errors import ManifestError, NotFinite, ShapeError, UnknownName, WeightMismatch
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.network.places import list_places
from agentlens.network.taps import read_places
from agentlens.policies.agent import load_agent
from agentlens.policies.architectures import ARCHITECTURES, architecture
from agentlens.policies.networks import ChainPolicy, build_policy
from agentlens.policies.weights import collect, load_tensors, policy_tensors
from agentlens.spec import ActionSpec, ObservationSpec

ACTIONS = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="sample")


def observation(stack: int = 2, height: int = 4, width: int = 6) -> ObservationSpec:
    return ObservationSpec(
        pool="none", grayscale="cv2", resize=(height, width), interpolation="cv2-area", stack=stack
    )


def chain(*layers: LayerSpec, name: str = "q", output: str | None = "q_values") -> ChainSpec:
    return ChainSpec(name=name, layers=layers, output=output)  # type: ignore[arg-type]


def layer(kind: str, out: int | None = None, **sizes: float) -> LayerSpec:
    return LayerSpec(kind=kind, out=out, **sizes)  # type: ignore[arg-type]


FLAT = layer("flatten")
PLAIN = NetworkSpec(chains=(chain(FLAT, layer("linear", 3)),))


def with_tensors(network: NetworkSpec, tensors: dict[str, torch.Tensor]) -> ChainPolicy:
    policy = build_policy(network, observation(1, 1, 2), ACTIONS)
    load_tensors(policy, tensors)
    return policy


def test_a_linear_policy_by_hand() -> None:
    policy = with_tensors(
        PLAIN,
        {
            "q.1.weight": torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]),
            "q.1.bias": torch.tensor([0.0, 10.0, 0.5]),
        },
    )
    output = policy(torch.tensor([[[[3.0, 4.0]]]]))
    assert output.preferences.tolist() == [[3.0, 14.0, 2.5]]
    assert output.kind == "q_values"
    assert output.value is None
    assert (policy.kind, policy.has_value, policy.state_size) == ("q_values", False, 0)
    assert policy.initial_state(2) is None


def test_dueling_heads_by_hand() -> None:
    network = NetworkSpec(
        chains=(
            ChainSpec(name="a", layers=(FLAT, layer("linear", 3)), output="advantage"),
            ChainSpec(name="v", layers=(FLAT, layer("linear", 1)), output="state_value"),
        )
    )
    policy = with_tensors(
        network,
        {
            "a.1.weight": torch.zeros(3, 2),
            "a.1.bias": torch.tensor([1.0, 2.0, 6.0]),
            "v.1.weight": torch.tensor([[1.0, 1.0]]),
            "v.1.bias": torch.tensor([0.5]),
        },
    )
    # V = 1 + 2 + 0.5, A - mean A = (-2, -1, 3)
    assert policy(torch.tensor([[[[1.0, 2.0]]]])).preferences.tolist() == [[1.5, 2.5, 6.5]]


def test_quantiles_are_averaged_over_the_quantiles() -> None:
    head = dataclasses.replace(chain(FLAT, layer("linear", 6), output="quantiles"), quantiles=2)
    tensors = {"q.1.weight": torch.zeros(6, 2), "q.1.bias": torch.arange(6.0)}
    policy = with_tensors(NetworkSpec(chains=(head,)), tensors)
    assert policy(torch.zeros(1, 1, 1, 2)).preferences.tolist() == [[1.5, 2.5, 3.5]]


def test_memories_are_one_vector_in_the_order_of_the_chains() -> None:
    network = NetworkSpec(
        chains=(
            ChainSpec(name="one", layers=(FLAT, layer("lstm", 5))),
            ChainSpec(name="two", reads="one", layers=(layer("gru", 4),)),
            ChainSpec(name="q", reads="two", layers=(layer("linear", 3),), output="logits"),
        )
    )
    policy = build_policy(network, observation(), ACTIONS)
    assert policy.state_size == 14
    tensors = policy_tensors(policy)
    lstm, gru, linear = nn.LSTMCell(48, 5), nn.GRUCell(5, 4), nn.Linear(4, 3)
    for module, prefix in ((lstm, "one.1."), (gru, "two.0."), (linear, "q.0.")):
        own = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        module.load_state_dict(own, strict=True)
    x, state = torch.rand(7, 2, 4, 6), torch.rand(7, 14)
    output = policy(x, state)
    with torch.no_grad():
        h, c = lstm(x.flatten(1), (state[:, :5], state[:, 5:10]))
        g = gru(h, state[:, 10:])
        assert torch.equal(output.preferences, linear(g))
        assert torch.equal(output.state, torch.cat((h, c, g), 1))


def test_newest_first_and_reshape_are_undone_inside() -> None:
    network = NetworkSpec(
        chains=(chain(layer("conv", 2, kernel=2), FLAT, layer("linear", 3)),),
        plane_order="newest_first",
        reshape=(6, 4),
    )
    policy = build_policy(network, observation(), ACTIONS)
    plain = build_policy(NetworkSpec(chains=network.chains), observation(2, 6, 4), ACTIONS)
    load_tensors(plain, policy_tensors(policy))
    x = torch.rand(3, 2, 4, 6)
    turned = x.flip(1).reshape(3, 2, 6, 4)
    assert torch.equal(policy(x).preferences, plain(turned).preferences)
    assert policy.trunk() is None


@pytest.mark.parametrize("order", ["oldest_first", "newest_first"])
@pytest.mark.parametrize("normed", [False, True])
def test_head_of_trunk_is_forward(order: str, normed: bool) -> None:
    norm = (layer("batch_norm"),) if normed else ()
    torso = (
        layer("conv", 4, kernel=3, stride=2, padding=1),
        *norm,
        layer("elu"),
        layer("conv", 5, kernel=2),
        *norm,
        layer("tanh"),
        FLAT,
        layer("gru", 6),
    )
    network = NetworkSpec(
        chains=(
            ChainSpec(name="torso", layers=torso),
            ChainSpec(name="p", reads="torso", layers=(layer("linear", 3),), output="logits"),
            ChainSpec(name="v", reads="torso", layers=(layer("linear", 1),), output="value"),
        ),
        plane_order=order,  # type: ignore[arg-type]
    )
    policy = build_policy(network, observation(3, 12, 14), ACTIONS)
    generator = torch.Generator().manual_seed(1)
    tensors = policy_tensors(policy)
    for name in tensors:
        if "running" in name or (normed and name.startswith(("torso.1.", "torso.4."))):
            tensors[name] = 0.5 + torch.rand(tensors[name].shape, generator=generator)
    load_tensors(policy, tensors)
    x, state = torch.rand(5, 3, 12, 14, generator=generator), policy.initial_state(5)
    trunk = policy.trunk()
    assert trunk is not None
    features = trunk.evaluate(x)
    for got, wanted in zip(policy.head(features, state), policy(x, state), strict=True):
        if isinstance(wanted, Tensor):
            torch.testing.assert_close(got, wanted, rtol=0, atol=2e-6)
        else:
            assert got == wanted
    assert not any(p.requires_grad for step in trunk.steps for p in step.window.parameters())


def test_two_chains_on_the_observation_have_no_trunk() -> None:
    head = (layer("conv", 2, kernel=2), layer("relu"), FLAT)
    network = NetworkSpec(
        chains=(
            chain(*head, layer("linear", 3), name="p", output="logits"),
            chain(*head, layer("linear", 1), name="v", output="value"),
        )
    )
    assert build_policy(network, observation(), ACTIONS).trunk() is None
    assert build_policy(PLAIN, observation(), ACTIONS).trunk() is None


def test_frozen_deterministic_and_without_touching_the_global_generator() -> None:
    before = torch.random.get_rng_state()
    one, two = (build_policy(PLAIN, observation(), ACTIONS, seed=3) for _ in range(2))
    other = build_policy(PLAIN, observation(), ACTIONS, seed=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.rand(2, 2, 4, 6)
    assert torch.equal(one(x).preferences, two(x).preferences)
    assert not torch.equal(one(x).preferences, other(x).preferences)
    assert not one.train().training
    assert not any(p.requires_grad for p in one.parameters())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_known_architectures_build(name: str) -> None:
    size, stack = (80, 1) if name == "baby-a3c" else (84, 4)
    policy = build_policy(architecture(name, 3), observation(stack, size, size), ACTIONS)
    output = policy(torch.rand(2, stack, size, size), policy.initial_state(2))
    actor = output.preferences
    assert actor.shape == (2, 3)
    assert (policy.trunk() is None) == (name == "pqn")
    with pytest.raises(UnknownName, match="nature-cnn"):
        architecture("nature_cnn", 3)


def test_the_trunk_of_a_residual_network_reaches_its_first_linear_layer() -> None:
    """IMPALA's by hand: (conv, pool, 2 (ReLU, conv with ReLU, conv, sum)) three times; what a
    block adds to is read twice, so the ReLU after it is a step of its own."""
    policy = build_policy(architecture("impala", 3), observation(4, 84, 84), ACTIONS)
    trunk, projection = policy.trunk(), policy.projection()
    assert trunk is not None
    assert projection is not None
    assert len(trunk.convolutions) == 15
    assert [step.reads for step in trunk.steps[:7]] == [
        *((-1,), (0,), (1,), (2,), (3,), (4, 1), (5,))
    ]
    x = torch.rand(2, 4, 84, 84, generator=torch.Generator().manual_seed(0))
    features = trunk.evaluate(x)
    assert features.shape == (2, 32, 11, 11)
    rows = features.flatten(1) @ projection.weight.T + projection.bias
    wanted = policy(x).preferences
    torch.testing.assert_close(policy.finish(rows).preferences, wanted, rtol=0, atol=2e-6)


def test_wrong_inputs_are_refused_not_transposed() -> None:
    policy = build_policy(architecture("nature-cnn", 3), observation(4, 84, 84), ACTIONS)
    with pytest.raises(ShapeError, match=r"\(1, 84, 84, 4\), expected \(any, 4, 84, 84\)"):
        policy(torch.zeros(1, 84, 84, 4))
    with pytest.raises(ShapeError, match="no memory"):
        policy(torch.zeros(1, 4, 84, 84), torch.zeros(1, 3))
    recurrent = build_policy(architecture("baby-a3c", 3), observation(1, 80, 80), ACTIONS)
    with pytest.raises(ShapeError, match=r"\[2, 256\] before"):
        recurrent(torch.zeros(2, 1, 80, 80))
    with pytest.raises(ShapeError, match="state"):
        recurrent(torch.zeros(2, 1, 80, 80), torch.zeros(1, 256))


@pytest.mark.parametrize(
    ("chains", "message"),
    [
        ((chain(layer("linear", 3)),), r"chains\[0\].layers\[0\]: linear expects flat"),
        ((chain(FLAT, layer("conv", 3, kernel=2)),), r"layers\[1\]: conv expects planes"),
        ((chain(layer("conv", 3, kernel=9)),), "kernel of 9 does not fit"),
        ((chain(layer("conv", 3)),), r"layers\[0\].kernel: got nothing"),
        ((chain(FLAT, layer("linear", 0)),), r"layers\[1\].out: got 0"),
        ((chain(FLAT, layer("linear", 4)),), r"gives \(4,\), expected \(3,\) as its q_values"),
        ((chain(FLAT, layer("linear", 10**12)),), "parameters, expected at most"),
        ((chain(FLAT, layer("linear", 3), output=None),), "give no output"),
        ((chain(FLAT, layer("linear", 1), output="value"),), "expected one of logits"),
        ((chain(FLAT, layer("linear", 3), name="observation"),), "name of its own"),
        ((ChainSpec(name="q", reads="torso"),), "reads: got 'torso', expected one of observation"),
    ],
)
def test_impossible_networks_say_where(chains: tuple[ChainSpec, ...], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        build_policy(NetworkSpec(chains=chains), observation(), ACTIONS)


def test_a_reshape_must_hold_the_pixels() -> None:
    with pytest.raises(ManifestError, match="5x5 does not hold the 4x6"):
        build_policy(dataclasses.replace(PLAIN, reshape=(5, 5)), observation(), ACTIONS)


def test_weights_that_do_not_fit_name_the_tensor() -> None:
    policy = build_policy(PLAIN, observation(1, 1, 2), ACTIONS)
    good = policy_tensors(policy)
    with pytest.raises(WeightMismatch, match=r"'q.1.bias' is missing"):
        load_tensors(policy, {"q.1.weight": good["q.1.weight"]})
    with pytest.raises(WeightMismatch, match=r"'q.2.weight': the declared network has no"):
        load_tensors(policy, good | {"q.2.weight": torch.zeros(1)})
    with pytest.raises(WeightMismatch, match=r"'q.1.weight' has shape \(2, 3\)"):
        load_tensors(policy, good | {"q.1.weight": torch.zeros(2, 3)})
    with pytest.raises(WeightMismatch, match=r"torch.int64, expected floating"):
        load_tensors(policy, good | {"q.1.bias": torch.zeros(3, dtype=torch.int64)})
    for bad in (float("nan"), float("-inf")):
        with pytest.raises(NotFinite, match=rf"'q.1.bias' holds {bad} at index \(1,\)"):
            load_tensors(policy, good | {"q.1.bias": torch.tensor([0.0, bad, 0.0])})
    with pytest.raises(WeightMismatch, match=r"'fc\.bias', wanted as q\.1\.bias"):
        collect(PLAIN, {"fc.weight": good["q.1.weight"]}, {"q.1": "fc"})
    with pytest.raises(WeightMismatch, match=r"'q\.1' has no source"):
        collect(PLAIN, {}, {})


def test_resuming_after_a_layer_is_the_whole_policy() -> None:
    policy = load_agent("pong-ppo").policy
    assert isinstance(policy, ChainPolicy)
    observation = torch.rand(3, *policy.observation_shape)
    (place,) = (p for p in list_places(policy) if p.name == "torso.3")
    whole, values = read_places(policy, [place], observation, None)
    after = policy.resume("torso", 3, values["torso.3"])
    assert after is not None
    assert torch.equal(after.preferences, whole.preferences)
    assert policy.resume("actor", 0, values["torso.3"]) is None
