"""What every policy format promises, and SB3's own classes as the oracle of the SB3 format."""

from __future__ import annotations

import collections
import dataclasses
import io
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from torch import Tensor, nn

from agentlens.errors import AgentlensError, CheckpointError
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.architectures import architecture
from agentlens.policies.checkpoint import FORMATS, Hints, detect_format, read_checkpoint
from agentlens.policies.layers import PARAMETERS
from agentlens.policies.networks import build_policy
from agentlens.policies.signature import read_signature
from agentlens.policies.weights import policy_tensors
from agentlens.spec import ActionSpec, ObservationSpec

SIZE = 36


class Screens(gym.Env[np.ndarray, np.int64]):
    """Discrete(6) on four small planes: what SB3 needs to build a policy."""

    observation_space = spaces.Box(0, 255, (4, SIZE, SIZE), np.uint8)
    action_space = spaces.Discrete(6)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros((4, SIZE, SIZE), np.uint8), {}


SMALL = {"features_extractor_kwargs": {"features_dim": 24}}
OFF_POLICY = {"buffer_size": 1}
UNSHARED = {"share_features_extractor": False, "net_arch": {"pi": [16], "vf": [8, 7]}}
CASES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "ppo": ("PPO", "CnnPolicy", {}, {}),
    "a2c": ("A2C", "CnnPolicy", {}, {"net_arch": [12]}),
    "ppo-unshared": ("PPO", "CnnPolicy", {}, UNSHARED),
    "ppo-relu-mlp": ("PPO", "CnnPolicy", {}, {"net_arch": [9], "activation_fn": nn.ReLU}),
    "dqn": ("DQN", "CnnPolicy", OFF_POLICY, {}),
    "dqn-mlp": ("DQN", "CnnPolicy", OFF_POLICY, {"net_arch": [11, 10]}),
    "qrdqn": ("QRDQN", "CnnPolicy", OFF_POLICY, {"n_quantiles": 7}),
    "recurrent": ("RecurrentPPO", "CnnLstmPolicy", {}, {"lstm_hidden_size": 10}),
    "recurrent-shared": (
        "RecurrentPPO",
        "CnnLstmPolicy",
        {},
        {"lstm_hidden_size": 10, "shared_lstm": True, "enable_critic_lstm": False},
    ),
    "recurrent-plain-critic": (
        "RecurrentPPO",
        "CnnLstmPolicy",
        {},
        {"lstm_hidden_size": 10, "enable_critic_lstm": False, "n_lstm_layers": 2},
    ),
}


def build_sb3(case: str) -> Any:
    algorithm, policy, options, kwargs = CASES[case]
    kind = getattr(stable_baselines3, algorithm, None) or getattr(sb3_contrib, algorithm)
    kwargs = {**SMALL, **kwargs}
    return kind(policy, Screens(), device="cpu", seed=1, policy_kwargs=kwargs, **options)


def own_policy(model: Any, checkpoint: Path) -> Any:
    """SB3's policy class, filled strictly from the file."""
    policy = model.policy
    with zipfile.ZipFile(checkpoint) as archive:
        weights = io.BytesIO(archive.read("policy.pth"))
    policy.load_state_dict(torch.load(weights, weights_only=True), strict=True)
    policy.set_training_mode(False)
    return policy


def sb3_outputs(policy: Any, observation: Tensor) -> tuple[Tensor, Tensor | None]:
    if hasattr(policy, "q_net"):
        return policy.q_net(observation), None
    if hasattr(policy, "quantile_net"):
        return policy.quantile_net(observation).mean(dim=1), None
    distribution = policy.get_distribution(observation)
    return distribution.distribution.logits, policy.predict_values(observation)


def normalised(logits: Tensor) -> Tensor:
    return logits - logits.logsumexp(1, keepdim=True)


def load(path: Path) -> Agent:
    return load_agent(path, env="ALE/Pong-v5", preset="sb3-atari")


@pytest.mark.parametrize("case", [c for c in CASES if not c.startswith("recurrent")])
def test_sb3_equals_its_own_class(case: str, tmp_path: Path) -> None:
    model = build_sb3(case)
    path = tmp_path / "model.zip"
    model.save(path)
    agent = load(path)
    screens = np.random.default_rng(0).integers(0, 256, (5, 4, SIZE, SIZE), dtype=np.uint8)
    with torch.no_grad():
        wanted, value = sb3_outputs(own_policy(model, path), torch.tensor(screens))
    output = agent.policy(torch.tensor(screens.astype(np.float32) / 255))
    if value is not None:
        torch.testing.assert_close(normalised(output.preferences), wanted, rtol=0, atol=1e-5)
        torch.testing.assert_close(output.value, value.squeeze(1), rtol=0, atol=1e-5)
    else:
        torch.testing.assert_close(output.preferences, wanted, rtol=0, atol=1e-5)
    names = {"QRDQN": "QR-DQN"}
    assert agent.spec.algorithm == names.get(CASES[case][0], CASES[case][0])
    assert (agent.policy.trunk() is None) == (case == "ppo-unshared")


@pytest.mark.parametrize("case", [c for c in CASES if c.startswith("recurrent")])
def test_recurrent_sb3_equals_its_own_class_over_time(case: str, tmp_path: Path) -> None:
    model = build_sb3(case)
    path = tmp_path / "model.zip"
    model.save(path)
    agent, theirs = load(path), own_policy(model, path)
    layers = theirs.lstm_actor.num_layers
    zeros = torch.zeros(layers, 2, 10)
    memory = RNNStates((zeros, zeros), (zeros, zeros))
    state = agent.policy.initial_state(2)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for step in range(4):
            screens = torch.randint(0, 256, (2, 4, SIZE, SIZE), generator=generator).byte()
            starts = torch.full((2,), float(step == 0))
            value = theirs.predict_values(screens, memory.vf, starts)
            _, value_again, _, memory = theirs.forward(screens, memory, starts)
            torch.testing.assert_close(value, value_again)
            distribution = theirs.action_dist.distribution
            output = agent.policy(screens.float() / 255, state)
            torch.testing.assert_close(
                normalised(output.preferences), distribution.logits, rtol=0, atol=1e-5
            )
            torch.testing.assert_close(output.value, value.squeeze(1), rtol=0, atol=1e-5)
            state = output.state
    assert agent.spec.algorithm == "RecurrentPPO"


def test_an_mlps_activation_is_assumed_and_said(tmp_path: Path) -> None:
    for case, words in (
        ("a2c", "network.activation = tanh in the MLP layers (SB3's default)"),
        ("ppo-relu-mlp", "network.activation = relu in the MLP layers (as the file declares)"),
    ):
        build_sb3(case).save(tmp_path / "model.zip")
        assert words in load(tmp_path / "model.zip").spec.assumed


def test_without_a_preset_the_commonest_is_assumed_and_said(tmp_path: Path) -> None:
    build_sb3("dqn").save(tmp_path / "model.zip")
    spec = load_agent(tmp_path / "model.zip", env="PongNoFrameskip-v4").spec
    assert spec.assumed == ("preset = sb3-atari: the file does not say how it was trained",)
    assert (spec.preset, spec.environment.frame_skip) == ("sb3-atari", (4, 4))
    assert spec.observation.resize == (SIZE, SIZE)
    assert (spec.action.selection, spec.action.epsilon) == ("epsilon", 0.05)
    assert spec.value.gamma == 0.99


def baby_file(path: Path, actions: int = 6) -> None:
    spec = ObservationSpec(
        pool="none", grayscale="mean", resize=(80, 80), interpolation="pillow-bilinear", stack=1
    )
    action = ActionSpec(meanings=tuple("abcdef"[:actions]), selection="sample")
    network = architecture("baby-a3c", actions)
    names = {"torso.9": "gru", "policy.0": "actor_linear", "value.0": "critic_linear"}
    names |= {f"torso.{2 * i}": f"conv{i + 1}" for i in range(4)}
    tensors = policy_tensors(build_policy(network, spec, action))
    renamed = {f"{names[n.rsplit('.', 1)[0]]}.{n.rsplit('.', 1)[1]}": t for n, t in tensors.items()}
    content = collections.OrderedDict(sorted(renamed.items()))
    torch.save(content, path, _use_new_zipfile_serialization=False)


def torch_file(path: Path) -> None:
    shapes = {"conv1": (16, 4, 8, 8), "conv2": (32, 16, 4, 4), "fc": (256, 2592)}
    shapes |= {"actor": (6, 256), "critic": (1, 256)}
    tensors = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}
    torch.save({"model_state_dict": tensors, "epoch": 3}, path)


def sb3_file(path: Path) -> None:
    build_sb3("ppo").save(path)


def nature(outputs: int) -> nn.Sequential:
    """The Sequential that CleanRL's scripts call ``network``."""
    convolutions = (nn.Conv2d(4, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3, 1))
    layers = [layer for c in convolutions for layer in (c, nn.ReLU())]
    head = [nn.Linear(512, outputs)] if outputs else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), *head)


class Wrapped(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.network = nature(outputs)


def cleanrl_file(path: Path) -> None:
    torch.save(Wrapped(6).state_dict(), path)


def c51_file(path: Path) -> None:
    model = Wrapped(6 * 5)
    model.register_buffer("atoms", torch.linspace(-10, 10, 5))
    args = {"env_id": "PongNoFrameskip-v4", "n_atoms": 5, "v_min": -10, "v_max": 10.0}
    args |= {"gamma": 0.99, "end_e": 0.01, "capture_video": False, "wandb_entity": None}
    torch.save({"model_weights": model.state_dict(), "args": args}, path)


SAMPLES: dict[str, Callable[[Path], None]] = {
    "baby-a3c": baby_file,
    "torch-state-dict": torch_file,
    "sb3": sb3_file,
    "cleanrl": cleanrl_file,
    "cleanrl-c51": c51_file,
}


@pytest.mark.parametrize("name", FORMATS.names())
def test_every_format_reads_or_builds(name: str) -> None:
    form = FORMATS.load(name)
    assert form.summary
    assert (form.read is None) != (form.build is None)
    assert form.read is None or name in {*SAMPLES, "safetensors"}


@pytest.mark.parametrize("name", SAMPLES)
def test_every_format_is_recognised_and_names_tensors_as_documented(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "sample.bin"
    SAMPLES[name](path)
    assert detect_format(path) == name
    found = read_checkpoint(path, name, Hints())
    wanted = {
        f"{chain.name}.{index}.{parameter}"
        for chain in found.network.chains
        for index, layer in enumerate(chain.layers)
        for parameter in PARAMETERS.get(layer.kind, ())
    }
    assert set(found.tensors) == wanted
    assert found.actions == 6


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files_end_in_a_checkpoint_error_or_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.bin"
    SAMPLES[name](path)
    whole = path.read_bytes()
    rng = random.Random(0)
    damaged = [whole[: rng.randrange(len(whole))] for _ in range(8)]
    for _ in range(25):
        copy = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            place = rng.choice((rng.randrange(min(3000, len(copy))), rng.randrange(len(copy))))
            copy[-1 - place if rng.random() < 0.4 else place] ^= 1 << rng.randrange(8)
        damaged.append(bytes(copy))
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        for form in FORMATS.names():
            assert FORMATS.load(form).likeness(read_signature(path)) in (0, 1, 2)
        try:
            read_checkpoint(path, name, Hints())
        except CheckpointError:
            refused += 1
    assert refused >= 8


def altered(content: bytes, rng: random.Random) -> bytes:
    """A zip with changed bytes in its pickle or JSON, and checksums that fit again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = bytearray(old.read(name))
            if name.endswith("data.pkl") or name == "data":
                for _ in range(rng.choice((1, 1, 2, 5))):
                    member[rng.randrange(len(member))] = rng.randrange(256)
            if name == "policy.pth":
                member = bytearray(altered(bytes(member), rng))
            new.writestr(name, bytes(member))
    return out.getvalue()


@pytest.mark.parametrize("name", ["sb3", "torch-state-dict"])
def test_altered_insides_end_in_a_checkpoint_error_or_are_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / "sample.bin"
    SAMPLES[name](path)
    whole, rng, refused = path.read_bytes(), random.Random(1), 0
    for _ in range(40):
        path.write_bytes(altered(whole, rng))
        try:
            read_checkpoint(path, name, Hints())
        except CheckpointError:
            refused += 1
    assert refused >= 20


@pytest.mark.parametrize("name", [n for n in FORMATS.names() if n in {*SAMPLES, "safetensors"}])
def test_foreign_files_are_checkpoint_errors(name: str, tmp_path: Path) -> None:
    for content in (b"", b"\0", b"PK\x03\x04", b"{}", b"\x80\x04.", b"\x89PNG\r\n", b"a" * 5000):
        path = tmp_path / "foreign.safetensors"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"foreign\.safetensors"):
            read_checkpoint(path, name, Hints())
    with pytest.raises(CheckpointError, match="no such"):
        read_checkpoint(tmp_path / "none", name, Hints())


def test_another_network_under_the_same_names_is_a_mismatch(tmp_path: Path) -> None:
    class Wider(stable_baselines3.common.torch_layers.NatureCNN):
        def __init__(self, space: spaces.Box) -> None:
            super().__init__(space, 24)
            self.cnn[0] = nn.Conv2d(4, 32, kernel_size=6, stride=4, padding=2)

    model = stable_baselines3.PPO(
        "CnnPolicy", Screens(), device="cpu", policy_kwargs={"features_extractor_class": Wider}
    )
    model.save(tmp_path / "model.zip")
    with pytest.raises(CheckpointError, match=r"features_extractor_class is .*Wider.*NatureCNN"):
        load(tmp_path / "model.zip")


def test_baselines_build_without_weights() -> None:
    agent = load_agent("random", env="ALE/Breakout-v5")
    assert agent.spec.action.meanings == ("NOOP", "FIRE", "RIGHT", "LEFT")
    assert "baseline" in agent.spec.algorithm + agent.spec.action.reason
    output = agent.policy(torch.rand(3, *agent.spec.observation.shape))
    assert output.preferences.softmax(1).tolist() == [[0.25] * 4] * 3
    assert dataclasses.replace(agent).policy.trunk() is None
    with pytest.raises(AgentlensError, match="give env"):
        load_agent("random")


@pytest.mark.parametrize("second", [b"", b"\xa1", b"\xd9"])
def test_whatever_a_file_begins_with_its_format_is_named_or_refused(
    second: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "short.pt"
    for first in range(256):
        path.write_bytes(bytes([first]) + second)
        with pytest.raises(CheckpointError, match=r"short\.pt"):
            detect_format(path)
