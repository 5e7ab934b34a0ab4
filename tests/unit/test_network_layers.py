"""Declared networks beside the same networks written as torch modules: norms, pools, residuals,
attention, distributions; and the two cuts that engines rely on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from agentlens.envs.protocols import resolve
from agentlens.errors import ManifestError
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import Agent
from agentlens.policies.chains import returns_by_action
from agentlens.policies.distributions import categorical_returns
from agentlens.policies.importing import save_agent
from agentlens.policies.layers import ACTIVATIONS
from agentlens.policies.manifest import read_manifest
from agentlens.policies.networks import ChainPolicy, build_policy
from agentlens.policies.weights import collect, load_tensors
from agentlens.spec import ActionSpec, AgentSpec, ObservationSpec

ACTIONS = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="greedy")
OBSERVATION = ObservationSpec(
    pool="none", grayscale="cv2", resize=(22, 18), interpolation="cv2-area", stack=2
)
RELU, FLATTEN = LayerSpec(kind="relu"), LayerSpec(kind="flatten")


def conv(out: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> LayerSpec:
    return LayerSpec(kind="conv", out=out, kernel=kernel, stride=stride, padding=padding)


def linear(out: int) -> LayerSpec:
    return LayerSpec(kind="linear", out=out)


def q_chain(*layers: LayerSpec) -> NetworkSpec:
    return NetworkSpec(chains=(ChainSpec(name="q", layers=layers, output="q_values"),))


def filled(network: NetworkSpec, module: nn.Module, sources: dict[str, str]) -> ChainPolicy:
    """The declared network with the module's weights, the norms' moved from where they begin."""
    generator = torch.Generator().manual_seed(5)
    for name, parameter in module.named_parameters():
        if parameter.ndim == 1 or "norm" in name:
            parameter.data += 0.2 * torch.randn(parameter.shape, generator=generator)
    policy = build_policy(network, OBSERVATION, ACTIONS)
    load_tensors(policy, collect(network, module.state_dict(), sources))
    return policy


def planes(rows: int = 5) -> Tensor:
    return torch.rand(rows, *OBSERVATION.shape, generator=torch.Generator().manual_seed(1))


def assert_cuts_hold(policy: ChainPolicy) -> None:
    """head(trunk) and finish(projection) are forward, where there are such."""
    exact, x = policy.double(), planes().double()
    trunk = exact.trunk()
    if trunk is None:
        assert exact.projection() is None
        return
    features = trunk.evaluate(x)
    wanted = exact(x).preferences
    torch.testing.assert_close(exact.head(features).preferences, wanted)
    projection = exact.projection()
    if projection is not None:
        rows = features.flatten(1) @ projection.weight.T + projection.bias
        torch.testing.assert_close(exact.finish(rows).preferences, wanted)


def test_pqn_with_a_layer_norm_after_each_convolution() -> None:
    module = nn.Sequential(
        nn.Conv2d(2, 4, 4, stride=2),
        nn.LayerNorm([4, 10, 8]),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3),
        nn.LayerNorm([6, 8, 6]),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(288, 7),
        nn.LayerNorm(7),
        nn.ReLU(),
        nn.Linear(7, 3),
    )
    norm = LayerSpec(kind="layer_norm")
    network = q_chain(
        *(conv(4, 4, 2, 0), norm, RELU, conv(6, 3, 1, 0), norm, RELU),
        *(FLATTEN, linear(7), norm, RELU, linear(3)),
    )
    policy = filled(network, module, {f"q.{i}": f"{i}" for i in (0, 1, 3, 4, 7, 8, 10)})
    with torch.no_grad():
        torch.testing.assert_close(policy(planes()).preferences, module(planes()))
    assert policy.trunk() is None
    assert policy.trunk_obstacle() == (
        "layer 1 of chain 'q' is a layer_norm, through which a mask cannot be followed"
    )
    assert_cuts_hold(policy)


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1(self.conv0(x.relu()).relu()) + x


class Impala(nn.Module):
    """Espeholt et al. (2018), figure 3, right, two sections instead of three."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.ModuleList([nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 5, 3, padding=1)])
        self.blocks = nn.ModuleList([Residual(4), Residual(4), Residual(5), Residual(5)])
        self.hidden, self.q = nn.Linear(5 * 6 * 5, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        for section, convolution in enumerate(self.enter):
            x = nn.functional.max_pool2d(convolution(x), 3, 2, padding=1)
            for block in self.blocks[2 * section : 2 * section + 2]:
                x = block(x)
        return self.q(self.hidden(x.relu().flatten(1)).relu())


def test_impala_with_pools_and_residuals() -> None:
    def section(channels: int) -> tuple[LayerSpec, ...]:
        pool = LayerSpec(kind="max_pool", kernel=3, stride=2, padding=1)
        block = (RELU, conv(channels), RELU, conv(channels), LayerSpec(kind="add", back=4))
        return (conv(channels), pool, *block, *block)

    layers = (*section(4), *section(5), RELU, FLATTEN, linear(8), RELU, linear(3))
    places = {0: "enter.0", 12: "enter.1", 26: "hidden", 28: "q"}
    for block, start in enumerate((2, 7, 14, 19)):
        places |= {start + 1: f"blocks.{block}.conv0", start + 3: f"blocks.{block}.conv1"}
    module = Impala()
    policy = filled(q_chain(*layers), module, {f"q.{i}": name for i, name in places.items()})
    with torch.no_grad():
        torch.testing.assert_close(policy(planes()).preferences, module(planes()))
    assert_cuts_hold(policy)


class Attention(nn.Module):
    """A softmax over the positions, one map, weighs the features."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(2, 4, 4, stride=2)
        self.places = nn.Conv2d(4, 1, 1)
        self.actor, self.critic = nn.Linear(320, 3), nn.Linear(320, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = nn.functional.elu(self.features(x))
        weights = self.places(features).flatten(1).softmax(1).view(len(x), 1, 10, 8)
        gathered = (weights * features).flatten(1)
        return self.actor(gathered).softmax(1), self.critic(gathered)


def test_spatial_attention_and_a_head_that_ends_in_a_softmax() -> None:
    softmax = LayerSpec(kind="softmax")
    network = NetworkSpec(
        chains=(
            ChainSpec(name="torso", layers=(conv(4, 4, 2, 0), LayerSpec(kind="elu"))),
            ChainSpec(name="places", reads="torso", layers=(conv(1, 1, 1, 0), softmax)),
            ChainSpec(
                name="gathered",
                reads="places",
                layers=(LayerSpec(kind="multiply", chain="torso"), FLATTEN),
            ),
            ChainSpec(name="actor", reads="gathered", layers=(linear(3), softmax), output="logits"),
            ChainSpec(name="critic", reads="gathered", layers=(linear(1),), output="value"),
        )
    )
    sources = {
        "torso.0": "features",
        "places.0": "places",
        "actor.0": "actor",
        "critic.0": "critic",
    }
    module = Attention()
    policy = filled(network, module, sources)
    output = policy(planes())
    with torch.no_grad():
        probabilities, value = module(planes())
    torch.testing.assert_close(output.preferences.softmax(1), probabilities)
    torch.testing.assert_close(output.value, value.squeeze(1))
    torch.testing.assert_close(output.preferences.exp(), probabilities)
    assert policy.trunk() is not None
    assert policy.projection() is None
    assert_cuts_hold(policy)


@pytest.mark.parametrize("kind", [*ACTIVATIONS, "avg_pool", "max_pool"])
def test_activations_and_pools_are_torchs(kind: str) -> None:
    modules = {
        "relu": nn.ReLU(),
        "elu": nn.ELU(),
        "leaky_relu": nn.LeakyReLU(0.01),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
        "gelu": nn.GELU(),
        "silu": nn.SiLU(),
        "avg_pool": nn.AvgPool2d(2),
        "max_pool": nn.MaxPool2d(2),
    }
    pooled = kind.endswith("pool")
    layer = LayerSpec(kind=kind, kernel=2 if pooled else None)  # type: ignore[arg-type]
    size = 4 * 5 * 4 if pooled else 4 * 10 * 8
    module = nn.Sequential(
        nn.Conv2d(2, 4, 4, stride=2), modules[kind], nn.Flatten(), nn.Linear(size, 3)
    )
    network = q_chain(conv(4, 4, 2, 0), layer, FLATTEN, linear(3))
    policy = filled(network, module, {"q.0": "0", "q.3": "3"})
    with torch.no_grad():
        torch.testing.assert_close(policy(planes()).preferences, module(planes()))
    assert policy.trunk() is not None
    assert_cuts_hold(policy)


def test_a_residual_over_a_cut_moves_the_cut() -> None:
    add = LayerSpec(kind="add", back=3)
    over_the_trunk = q_chain(
        *(conv(4), RELU, conv(4), RELU, LayerSpec(kind="softmax"), add, FLATTEN, linear(3))
    )
    policy = build_policy(over_the_trunk, OBSERVATION, ACTIONS)
    trunk = policy.trunk()
    assert trunk is not None
    assert len(trunk.steps) == 1
    assert policy.projection() is None
    assert_cuts_hold(policy)
    over_the_linear = q_chain(
        conv(4, 4, 2, 0), RELU, FLATTEN, linear(320), LayerSpec(kind="add", back=1), linear(3)
    )
    policy = build_policy(over_the_linear, OBSERVATION, ACTIONS)
    assert policy.trunk() is not None
    assert policy.projection() is None
    assert_cuts_hold(policy)
    from_the_screen = NetworkSpec(
        chains=(
            ChainSpec(name="torso", layers=(conv(2), RELU)),
            ChainSpec(
                name="q",
                reads="torso",
                layers=(LayerSpec(kind="add", chain="observation"), FLATTEN, linear(3)),
                output="q_values",
            ),
        )
    )
    assert build_policy(from_the_screen, OBSERVATION, ACTIONS).trunk() is None


def test_atoms_give_exact_means_and_quantiles_by_hand() -> None:
    # three returns -1, 0, 1 with probabilities 1/2, 1/4, 1/4: levels 1/6, 1/2, 5/6
    logits = torch.tensor([[[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]]]).log()
    q_values, quantiles = categorical_returns(logits, (-1.0, 1.0))
    torch.testing.assert_close(q_values, torch.tensor([[-0.25, 1.0]]))
    assert quantiles.tolist() == [[[-1.0, -1.0, 1.0], [1.0, 1.0, 1.0]]]


def test_quantiles_and_atoms_keep_their_distribution() -> None:
    quantiles = ChainSpec(name="q", layers=(FLATTEN, linear(6)), output="quantiles", quantiles=2)
    policy = build_policy(NetworkSpec(chains=(quantiles,)), OBSERVATION, ACTIONS)
    output = policy(planes())
    assert output.quantiles is not None
    assert output.quantiles.shape == (5, 3, 2)
    torch.testing.assert_close(output.quantiles.mean(2), output.preferences)
    atoms = ChainSpec(
        name="q", layers=(FLATTEN, linear(15)), output="atoms", atoms=5, support=(-2.0, 2.0)
    )
    policy = build_policy(NetworkSpec(chains=(atoms,)), OBSERVATION, ACTIONS)
    output = policy(planes())
    head = policy._layers("q")[1](planes().flatten(1))
    pmf = head.view(5, 3, 5).softmax(2)
    wanted = (pmf * torch.linspace(-2, 2, 5)).sum(2)
    torch.testing.assert_close(output.preferences, wanted)
    assert output.quantiles is not None
    assert (output.quantiles.diff(dim=2) >= 0).all()
    assert returns_by_action(atoms) == 5


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            q_chain(LayerSpec(kind="add", back=1), FLATTEN, linear(3)),
            r"back: got 1, expected 1 to 0",
        ),
        (q_chain(LayerSpec(kind="add"), FLATTEN, linear(3)), "give back .* or chain"),
        (q_chain(conv(3), LayerSpec(kind="add", chain="x"), FLATTEN), r"chain: got 'x'"),
        (
            q_chain(conv(3), LayerSpec(kind="add", back=1), FLATTEN, linear(3)),
            r"add of \(3, 22, 18\) and \(2, 22, 18\)",
        ),
        (q_chain(FLATTEN, LayerSpec(kind="max_pool", kernel=2), linear(3)), "expects planes"),
        (q_chain(LayerSpec(kind="max_pool"), FLATTEN, linear(3)), r"kernel: got nothing"),
        (
            q_chain(LayerSpec(kind="max_pool", kernel=3, padding=2), FLATTEN, linear(3)),
            "padding: got 2, expected 0 to 1",
        ),
        (q_chain(conv(1 << 20, 1, 1, 0), FLATTEN, linear(3)), "numbers an observation"),
        (
            NetworkSpec(
                chains=(ChainSpec(name="q", layers=(FLATTEN, linear(6)), output="atoms", atoms=2),)
            ),
            "support .* goes with atoms",
        ),
    ],
)
def test_what_does_not_fit_is_named(network: NetworkSpec, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        build_policy(network, OBSERVATION, ACTIONS)


def test_every_layer_survives_agent_toml(tmp_path: Path) -> None:
    layers = (
        *(conv(4), LayerSpec(kind="layer_norm", epsilon=1e-4), LayerSpec(kind="gelu")),
        *(conv(4), LayerSpec(kind="add", back=3), LayerSpec(kind="avg_pool", kernel=2, stride=1)),
        *(FLATTEN, linear(6)),
    )
    chain = ChainSpec(name="q", layers=layers, output="atoms", atoms=2, support=(-1.0, 1.0))
    network = NetworkSpec(chains=(chain,))
    environment = resolve("ALE/Pong-v5", preset="ale-vector").environment
    action = ActionSpec(meanings=("NOOP", "RIGHT", "LEFT"), selection="greedy")
    spec = AgentSpec(
        name="x",
        format="safetensors",
        environment=environment,
        observation=OBSERVATION,
        action=action,
        network=network,
    )
    policy = build_policy(network, OBSERVATION, action)
    folder = save_agent(Agent(spec=spec, policy=policy), tmp_path / "x")
    assert read_manifest(folder / "agent.toml").network == network
