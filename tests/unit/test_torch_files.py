"""Torch files as people have them: read like PyTorch reads them, whatever wraps the tensors; and
files that are something else, named with the way out."""

from __future__ import annotations

import collections
import gzip
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agentlens.errors import CheckpointError, InvalidArgument, UnsafeCheckpoint
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import load_agent
from agentlens.policies.checkpoint import Hints, detect_format, read_checkpoint
from agentlens.policies.state_dicts import plain_names
from agentlens.policies.torchfile import read_torch_bytes
from tests.contracts.test_formats import SAMPLES, torch_file


def saved(content: Any, *, legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_pytorchs_own(legacy: bool) -> None:
    whole = torch.arange(24.0).view(4, 6)
    content = collections.OrderedDict(
        plain=torch.rand(3, 2),
        view=whole[1:3, ::2],
        turned=whole.T,
        shared=whole,
        number=torch.tensor(3.5),
        empty=torch.zeros(0, 4),
        half=torch.rand(5).half(),
        brain=torch.rand(5).bfloat16(),
        double=torch.rand(2).double(),
        count=torch.tensor([1, 2]),
        truth=torch.tensor([True, False]),
        parameter=nn.Parameter(torch.rand(2)),
    )
    file = read_torch_bytes(saved(content, legacy=legacy), "file")
    assert list(file.tensors) == list(content)
    for name, tensor in content.items():
        assert torch.equal(file.tensors[name], tensor.detach()), name
        assert file.tensors[name].dtype == tensor.dtype


def test_a_modules_state_dict_and_its_metadata() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3))
    for legacy in (False, True):
        file = read_torch_bytes(saved(module.state_dict(), legacy=legacy), "file")
        for name, tensor in module.state_dict().items():
            assert torch.equal(file.tensors[name], tensor)


def test_files_of_pytorch_0_3_are_read() -> None:
    content = saved({"w": torch.arange(3.0)}, legacy=True)
    old = content.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor")
    # v2 appends (requires_grad, hooks): q<n>, NEWFALSE, the empty ordered dict, before TUPLE
    start = old.index(b"\x89ccollections\nOrderedDict")
    stop = old.index(b"t", old.index(b"R", start))
    old = old[:start] + old[stop:]
    assert torch.equal(read_torch_bytes(old, "file").tensors["w"], torch.arange(3.0))


def test_nested_dicts_are_reached_by_their_path_and_plain_values_kept() -> None:
    w = torch.ones(2)
    content = {"agent": {"actor": {"0.weight": w}, "critic": {"0.weight": w}}, "step": 3, "n": w}
    file = read_torch_bytes(saved(content), "file")
    assert set(file.tensors) == {"agent.actor.0.weight", "agent.critic.0.weight", "n"}
    assert file.plain == {"step": 3}
    assert set(file.dicts) == {"", "agent.actor", "agent.critic"}


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("module.conv1.weight", "conv1.weight"),
        ("_orig_mod.conv1.weight", "conv1.weight"),
        ("module._orig_mod.conv1.weight", "conv1.weight"),
        ("_orig_mod.module.conv1.weight", "conv1.weight"),
        ("q_net._orig_mod.0.weight", "q_net.0.weight"),
    ],
)
def test_what_wrappers_put_in_front_is_taken_off(name: str, plain: str) -> None:
    assert list(plain_names({name: torch.zeros(1)})) == [plain]


def tensors_of(path: Path) -> dict[str, Tensor]:
    torch_file(path)
    found: dict[str, Tensor] = torch.load(path, weights_only=True)["model_state_dict"]
    return found


@pytest.mark.parametrize(
    "wrap",
    [
        lambda t: {f"module.{k}": v for k, v in t.items()},
        lambda t: {"state_dict": t, "log_alpha": torch.zeros(1), "epoch": 3},
        lambda t: {"q_network": t, "target_network": t},
        lambda t: {"net": {f"_orig_mod.{k}": v for k, v in t.items()}, "optimizer": {"lr": 1.0}},
        lambda t: {**t, "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}}},
        lambda t: {"nested": {"deeper": {"policy": t}}},
    ],
)
def test_a_known_layout_is_found_in_whatever_wraps_it(wrap: Any, tmp_path: Path) -> None:
    tensors = tensors_of(tmp_path / "net.pt")
    torch.save(wrap(tensors), tmp_path / "net.pt")
    found = read_checkpoint(tmp_path / "net.pt", "torch-state-dict", Hints())
    assert torch.equal(found.tensors["torso.0.weight"], tensors["conv1.weight"])
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    several = "q_network" in content
    assert any(line.startswith("weights = those under") for line in found.assumed) or not several


def test_dicts_that_nothing_tells_apart_are_named(tmp_path: Path) -> None:
    tensors = tensors_of(tmp_path / "net.pt")
    torch.save({"first": tensors, "second": tensors}, tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match=r"several dicts .*'first', 'second'.*\[sources\]"):
        read_checkpoint(tmp_path / "net.pt", "torch-state-dict", Hints())


def test_separate_actor_and_critic_are_reached_from_a_manifest(tmp_path: Path) -> None:
    actor, critic = nn.Linear(4, 3), nn.Linear(4, 1)
    path = tmp_path / "two.pt"
    torch.save({"actor": actor.state_dict(), "critic": critic.state_dict()}, path)
    flat, linear = LayerSpec(kind="flatten"), LayerSpec
    network = NetworkSpec(
        chains=(
            ChainSpec(name="pi", layers=(flat, linear(kind="linear", out=3)), output="logits"),
            ChainSpec(name="v", layers=(flat, linear(kind="linear", out=1)), output="value"),
        )
    )
    hints = Hints(network=network, sources={"pi.1": "actor", "v.1": "critic"}, actions=3)
    found = read_checkpoint(path, "torch-state-dict", hints)
    assert torch.equal(found.tensors["pi.1.weight"], actor.weight)
    assert torch.equal(found.tensors["v.1.bias"], critic.bias)


def test_the_founding_papers_lstm_is_known(tmp_path: Path) -> None:
    class Founding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            planes = (1, 32, 32, 32)
            for i, channels in enumerate(planes):
                self.add_module(f"conv{i + 1}", nn.Conv2d(channels, 32, 3, stride=2, padding=1))
            self.lstm = nn.LSTMCell(800, 256)
            self.critic_linear, self.actor_linear = nn.Linear(256, 1), nn.Linear(256, 6)

    module, x = Founding(), torch.rand(2, 1, 80, 80)
    path = tmp_path / "strict.pong.40.tar"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)
    agent = load_agent(path, env="Pong-v0")
    with torch.no_grad():
        hidden = x
        for i in range(1, 5):
            hidden = nn.functional.elu(module.get_submodule(f"conv{i}")(hidden))
        zeros = (torch.zeros(2, 256), torch.zeros(2, 256))
        h, c = module.lstm(hidden.flatten(1), zeros)
        output = agent.policy(x, agent.policy.initial_state(2))
        torch.testing.assert_close(output.preferences, module.actor_linear(h))
        torch.testing.assert_close(output.state, torch.cat((h, c), 1))
    assert agent.spec.preset == "baby-a3c"


def test_what_is_out_of_scope_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    torch.save({"l1.weight": torch.zeros(4, 128), "l1.bias": torch.zeros(4)}, path)
    with pytest.raises(CheckpointError, match="RAM or feature vectors are out of scope"):
        load_agent(path, env="ALE/Pong-v5")
    torch.save({"conv.weight": torch.zeros(4, 3, 2, 2), "log_std": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="continuous actions are out of scope"):
        load_agent(path, env="ALE/Pong-v5")


def zipped(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
FOREIGN = {
    "pointer": (LFS, "Git LFS pointer.*git lfs pull"),
    "page": (b"\n<!DOCTYPE html><html>", "web page.*raw or download link"),
    "gzip": (gzip.compress(b"x"), "packed with gzip; unpack"),
    "flax": (b"\x82\xa10\x80\xa11\x90", "MessagePack, as flax writes it"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "HDF5 file .Keras"),
    "cut": (zipped("data", "policy.pth")[:60], "cut off or damaged"),
    "sb2": (zipped("data", "parameters", "parameter_list"), "Stable-Baselines 2"),
    "folder": (zipped("ppo/data", "ppo/policy.pth"), r"a folder \(ppo\) that holds an SB3 model"),
    "around": (zipped("a.zip", "b.txt"), "a zip around other files"),
    "other": (zipped("b.txt"), "neither a torch file"),
    "pickle": (pickle.dumps({"a": 1}), "bare pickle.*nothing was run"),
    "tar": (b"\0" * 257 + b"ustar" + b"\0" * 99, "tar archive"),
    "json": (b'{"a": 1}', "text .JSON"),
    "noise": (b"\xf3\x17\x99 noise", "not recognised by its first bytes"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_files_are_named_with_the_way_out(kind: str, tmp_path: Path) -> None:
    content, message = FOREIGN[kind]
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        load_agent(path, env="ALE/Pong-v5")


def test_one_reader_decides_by_the_first_bytes(tmp_path: Path) -> None:
    """A legacy file with a harmless zip behind it: what was checked is what is read."""
    path = tmp_path / "both.pt"
    evil = saved({"w": torch.full((3,), 666.0)}, legacy=True)
    path.write_bytes(evil + saved({"w": torch.ones(3)}))
    file = read_torch_bytes(path.read_bytes(), "file")
    assert file.tensors["w"].tolist() == [666.0] * 3
    assert detect_format(path) == "torch-state-dict"
    huge = saved({"w": torch.as_strided(torch.zeros(1), (1 << 40,), (0,))}, legacy=True)
    with pytest.raises(UnsafeCheckpoint, match="storage holds 1"):
        read_torch_bytes(huge + saved({"w": torch.ones(3)}), "file")


def test_a_file_named_like_an_agent_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    SAMPLES["sb3"](tmp_path / "model.zip")
    (tmp_path / "model.zip").rename(tmp_path / "pong-ppo")
    with pytest.raises(InvalidArgument, match=r"a file here and the name of an agent: say \./pong"):
        load_agent("pong-ppo", env="ALE/Pong-v5")
    assert load_agent("./pong-ppo", env="ALE/Pong-v5", preset="sb3-atari").folder is None
