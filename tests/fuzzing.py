"""Files to mutate, one a format, and the door of each that must hold whatever the bytes."""

from __future__ import annotations

import contextlib
import io
import json
import random
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from agentlens.envs import protocols
from agentlens.errors import AgentlensError
from agentlens.policies.architectures import architecture
from agentlens.policies.checkpoint import FORMATS, Hints, detect_format, read_checkpoint
from agentlens.policies.describing import describe_checkpoint
from agentlens.policies.manifest import manifest_text, read_manifest
from agentlens.policies.zoo import read_zoo_files
from agentlens.spec import ActionSpec, AgentSpec

_SHAPES = {"conv1": (16, 4, 8, 8), "conv2": (32, 16, 4, 4), "fc": (256, 2592)}
_ACTIONS = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
_ARGS = """!!python/object/apply:collections.OrderedDict
- - - env
    - PongNoFrameskip-v4
  - - algo
    - ppo
  - - env_kwargs
    - {frameskip: 2}
"""


def _tensors() -> dict[str, torch.Tensor]:
    shapes = _SHAPES | {"actor": (6, 256), "critic": (1, 256)}
    tensors = {f"{name}.weight": torch.zeros(shape) for name, shape in shapes.items()}
    return tensors | {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}


def _torch(folder: Path) -> tuple[Path, bytes]:
    stream = io.BytesIO()
    tensors = {name: tensor.half() for name, tensor in _tensors().items()}
    tensors["fc.weight"] = tensors["fc.weight"][:, :8].clone()
    torch.save({"model_state_dict": tensors, "epoch": 3}, stream)
    return folder / "net.pt", stream.getvalue()


def _legacy(folder: Path) -> tuple[Path, bytes]:
    names = [*(f"conv{i}" for i in (1, 2, 3, 4)), "gru", "actor_linear", "critic_linear"]
    parameters = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    tensors = {
        f"{name}.{p}": torch.zeros(6, 2)
        for name in names
        for p in (parameters if name == "gru" else ("weight", "bias"))
    }
    stream = io.BytesIO()
    torch.save(tensors, stream, _use_new_zipfile_serialization=False)
    return folder / "net.tar", stream.getvalue()


def _safetensors(folder: Path) -> tuple[Path, bytes]:
    content = safetensors.torch.save({"q.0.weight": torch.zeros(3, 4), "q.0.bias": torch.zeros(3)})
    return folder / "net.safetensors", content


def _small_network(prefix: str, convolutions: tuple[int, ...], linear: str) -> dict[str, Tensor]:
    """The names and first shapes of a Nature CNN, with few numbers: files are read, not run."""
    shapes = dict(zip(convolutions, ((32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3)), strict=True))
    names: dict[str, tuple[int, ...]] = {f"{prefix}.{i}": shape for i, shape in shapes.items()}
    names[linear] = (8, 64)
    tensors = {f"{name}.weight": torch.zeros(shape).half() for name, shape in names.items()}
    return tensors | {f"{name}.bias": torch.zeros(shape[0]) for name, shape in names.items()}


def _sb3(folder: Path) -> tuple[Path, bytes]:
    tensors = _small_network("features_extractor.cnn", (0, 2, 4), "features_extractor.linear.0")
    for name, size in (("action_net", 6), ("value_net", 1)):
        tensors |= {f"{name}.weight": torch.zeros(size, 8), f"{name}.bias": torch.zeros(size)}
    weights, content = io.BytesIO(), io.BytesIO()
    torch.save(tensors, weights)
    fields = {
        "policy_kwargs": {},
        "clip_range": {":type:": "x"},
        "observation_space": {":type:": "Box", "_shape": [4, 84, 84]},
        "gamma": 0.99,
    }
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("data", json.dumps(fields))
        archive.writestr("policy.pth", weights.getvalue())
    return folder / "model.zip", content.getvalue()


def _cleanrl_tensors(outputs: int) -> dict[str, Tensor]:
    tensors = _small_network("network", (0, 2, 4), "network.7")
    head = {"weight": torch.zeros(outputs, 8), "bias": torch.zeros(outputs)}
    return tensors | {f"network.9.{name}": tensor for name, tensor in head.items()}


def _c51(folder: Path) -> tuple[Path, bytes]:
    stream = io.BytesIO()
    args = {"env_id": "PongNoFrameskip-v4", "n_atoms": 5, "v_min": -10, "v_max": 10.0}
    torch.save({"model_weights": _cleanrl_tensors(30), "args": args}, stream)
    return folder / "c51.pt", stream.getvalue()


def _cleanrl(folder: Path) -> tuple[Path, bytes]:
    stream = io.BytesIO()
    torch.save(_cleanrl_tensors(6), stream)
    return folder / "dqn.pt", stream.getvalue()


def _manifest(folder: Path) -> tuple[Path, bytes]:
    resolved = protocols.resolve("ALE/Pong-v5", preset="ale-vector")
    spec = AgentSpec(
        name="x",
        format="safetensors",
        environment=resolved.environment,
        observation=resolved.observation,
        action=ActionSpec(meanings=_ACTIONS, selection="sample"),
        network=architecture("pqn", 6),
        weights="policy.safetensors",
    )
    return folder / "agent.toml", manifest_text(spec).encode()


def _recipe(folder: Path) -> tuple[Path, bytes]:
    torch.save(_tensors(), folder / "net.pt")
    text = '[environment]\nid = "PongNoFrameskip-v4"\nframe_skip = 4\n\n[network]\n'
    text += 'architecture = "a3c-ff"\n\n[sources]\n"torso.0" = "conv1"\n"torso.2" = "conv2"\n'
    text += '"torso.5" = "fc"\n"policy.0" = "actor"\n"value.0" = "critic"\n'
    return folder / "recipe.toml", text.encode()


def _zoo(folder: Path) -> tuple[Path, bytes]:
    return folder / "args.yml", _ARGS.encode()


SEEDS: dict[str, Callable[[Path], tuple[Path, bytes]]] = {
    "torch-state-dict": _torch,
    "baby-a3c": _legacy,
    "cleanrl": _cleanrl,
    "cleanrl-c51": _c51,
    "safetensors": _safetensors,
    "sb3": _sb3,
    "manifest": _manifest,
    "recipe": _recipe,
    "zoo": _zoo,
}
"""By format: a folder to a file that is read, and its bytes; three are texts beside a
checkpoint."""


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """Cut, flipped, repeated, spliced, or changed inside its zip with the checksums mended."""
    if whole[:2] == b"PK" and rng.random() < 0.5:
        return _mutated_zip(whole, rng)
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not data:
            break
        place = rng.choice((rng.randrange(len(data)), rng.randrange(min(3000, len(data)))))
        kind = rng.randrange(6)
        if kind == 0:
            del data[place:]
        elif kind == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[place] = rng.choice(b"\x00\xff\x7f().*{}[],:\"'!&.=-0e\n")
        elif kind == 3:
            data[place:place] = data[place : place + rng.randrange(1, 200)]
        elif kind == 4:
            data[place : place + 8] = rng.randbytes(8)
        else:
            data[-1 - place % len(data)] = rng.randrange(256)
    return bytes(data)


def _mutated_zip(whole: bytes, rng: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            member = old.read(name)
            if name.endswith(("data.pkl", "policy.pth")) or name == "data":
                member = mutated(member, rng)
            new.writestr(name, member)
    return out.getvalue()


def files_below(folder: Path) -> set[str]:
    """The paths of all files and folders below one."""
    return {str(path) for path in folder.rglob("*")}


def check_file(kind: str, path: Path, *, seconds: float, case: int) -> AgentlensError | None:
    """Read a file through its format's door; an error of ours comes back, another goes on up."""
    start = time.process_time()
    error: AgentlensError | None = None
    try:
        _DOORS.get(kind, _read)(kind, path)
    except AgentlensError as caught:
        error = caught
        str(caught)
    spent = time.process_time() - start
    assert spent < seconds, f"{kind}, case {case}: {spent:.1f} s"
    return error


def _read(kind: str, path: Path) -> None:
    if kind not in (*FORMATS.names(), "safetensors"):
        raise KeyError(kind)
    with contextlib.suppress(AgentlensError):
        detect_format(path)
    network = architecture("nature-dqn", 3) if kind == "safetensors" else None
    found = read_checkpoint(path, kind, Hints(network=network))
    assert found.actions >= 1
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.tensors.values())


def _read_recipe(_kind: str, path: Path) -> None:
    describe_checkpoint(path.parent / "net.pt", name="x", env="ALE/Pong-v5", manifest=path)


_DOORS: dict[str, Callable[[str, Path], object]] = {
    "manifest": lambda _kind, path: read_manifest(path),
    "recipe": _read_recipe,
    "zoo": lambda _kind, path: read_zoo_files(path.parent / "model.zip"),
}
