"""A head in two steps, linear map then the rest, equals the head in one."""

from __future__ import annotations

import pytest
import torch

from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.architectures import architecture
from agentlens.policies.networks import build_policy
from agentlens.spec import ActionSpec, ObservationSpec

OBSERVATION = ObservationSpec(
    pool="none", grayscale="cv2", resize=(20, 16), interpolation="cv2-area", stack=2
)
ACTION = ActionSpec(meanings=("NOOP", "UP", "DOWN"), selection="sample")

CONV = (LayerSpec(kind="conv", out=3, kernel=3, stride=2), LayerSpec(kind="elu"))
FLATTEN = LayerSpec(kind="flatten")
TANH = LayerSpec(kind="tanh")


def linear(out: int) -> LayerSpec:
    return LayerSpec(kind="linear", out=out)


def dueling(flatten_in_torso: bool) -> NetworkSpec:
    """Two heads that both read the trunk."""
    own = () if flatten_in_torso else (FLATTEN,)
    torso = ChainSpec(name="torso", layers=CONV + ((FLATTEN,) if flatten_in_torso else ()))
    heads = (
        ChainSpec(
            name="a", reads="torso", layers=(*own, linear(5), TANH, linear(3)), output="advantage"
        ),
        ChainSpec(name="v", reads="torso", layers=(*own, linear(1)), output="state_value"),
    )
    return NetworkSpec(chains=(torso, *heads))


def recurrent(*kinds: str) -> NetworkSpec:
    """A trunk, recurrent layers, an actor and a critic."""
    memories = tuple(LayerSpec(kind=kind, out=4 + i) for i, kind in enumerate(kinds))  # type: ignore[arg-type]
    torso = ChainSpec(name="torso", layers=(*CONV, FLATTEN, *memories))
    actor = ChainSpec(name="actor", reads="torso", layers=(linear(3),), output="logits")
    critic = ChainSpec(name="critic", reads="torso", layers=(linear(1),), output="value")
    return NetworkSpec(chains=(torso, actor, critic))


@pytest.mark.parametrize(
    "network",
    [recurrent("gru"), recurrent("lstm"), recurrent("gru", "lstm"), dueling(True), dueling(False)],
)
def test_finish_of_the_projection_is_the_head(network: NetworkSpec) -> None:
    policy = build_policy(network, OBSERVATION, ACTION).double()
    trunk = policy.trunk()
    assert trunk is not None
    features = torch.rand(5, 2, 20, 16, dtype=torch.float64)
    features = trunk.evaluate(features)
    projection = policy.projection()
    assert projection is not None
    projected = features.flatten(1) @ projection.weight.T + projection.bias
    states = torch.randn(5, policy.state_size, dtype=torch.float64)
    for state in (states, states[:1]) if policy.state_size else (None,):
        got = policy.finish(projected, state)
        expected = policy.head(features, None if state is None else state.expand(5, -1))
        for name in ("preferences", "value", "state"):
            torch.testing.assert_close(getattr(got, name), getattr(expected, name), msg=name)


@pytest.mark.parametrize("name", ["nature-cnn", "nature-dqn", "a3c-ff", "baby-a3c"])
def test_known_networks_have_a_projection(name: str) -> None:
    observation = ObservationSpec(
        pool="none", grayscale="cv2", resize=(84, 84), interpolation="cv2-area", stack=4
    )
    projection = build_policy(architecture(name, 3), observation, ACTION).projection()
    assert projection is not None
    assert projection.weight.shape[0] == len(projection.bias)


def test_a_head_that_begins_otherwise_has_none() -> None:
    layers = (*CONV, FLATTEN, TANH, linear(3))
    network = NetworkSpec(chains=(ChainSpec(name="all", layers=layers, output="logits"),))
    policy = build_policy(network, OBSERVATION, ACTION)
    assert policy.trunk() is not None
    assert policy.projection() is None
