"""Files made to do harm: nothing of them runs, and each ends in one kind of error."""

from __future__ import annotations

import base64
import io
import json
import os
import pickle
import resource
import struct
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.policies.agent import load_agent
from agentlens.policies.architectures import architecture
from agentlens.policies.networks import build_policy
from agentlens.policies.picklescan import scan_pickle
from agentlens.policies.torchfile import read_torch_file
from agentlens.policies.weights import policy_tensors
from agentlens.spec import ActionSpec, ObservationSpec

SPEC = ObservationSpec(
    pool="rgb", grayscale="cv2", resize=(84, 84), interpolation="cv2-area", stack=4
)
POLICY = build_policy(
    architecture("nature-cnn", 6), SPEC, ActionSpec(meanings=tuple("abcdef"), selection="sample")
)
RENAMED = {
    "torso.0": "features_extractor.cnn.0",
    "torso.2": "features_extractor.cnn.2",
    "torso.4": "features_extractor.cnn.4",
    "torso.7": "features_extractor.linear.0",
    "policy.0": "action_net",
    "value.0": "value_net",
}


def sb3_tensors() -> dict[str, torch.Tensor]:
    return {
        f"{RENAMED[name.rsplit('.', 1)[0]]}.{name.rsplit('.', 1)[1]}": tensor
        for name, tensor in policy_tensors(POLICY).items()
    }


def torch_bytes(content: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


WEIGHTS = torch_bytes(sb3_tensors())
FIELDS: dict[str, Any] = {
    "policy_class": {":type:": "x"},
    "policy_kwargs": {},
    "clip_range": {":type:": "x"},
    "observation_space": {":type:": "Box", "_shape": [4, 84, 84]},
    "gamma": 0.99,
}


def write_zip(
    path: Path, data: Any = FIELDS, extra: dict[str, bytes] | None = None, weights: bytes = WEIGHTS
) -> Path:
    text = data if isinstance(data, bytes | str) else json.dumps(data)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", text)
        archive.writestr("policy.pth", weights)
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return path


def load(path: Path) -> Any:
    return load_agent(path, env="ALE/Pong-v5", preset="sb3-atari")


class Canary:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (os.mkdir, (str(self.path),))


@pytest.fixture
def canary(tmp_path: Path) -> Any:
    path = tmp_path / "canary"
    yield Canary(path)
    assert not path.exists(), "the file's code was run"


def test_no_pickled_field_of_an_sb3_zip_is_ever_decoded(tmp_path: Path, canary: Canary) -> None:
    bomb = base64.b64encode(pickle.dumps(canary)).decode()
    names = [*FIELDS, "lr_schedule", "policy", "_last_obs", "action_space", "never heard of"]
    fields = {
        name: {**(FIELDS.get(name) or {}), ":type:": "x", ":serialized:": bomb}
        if name != "gamma"
        else 0.99
        for name in names
    }
    agent = load(write_zip(tmp_path / "model.zip", fields))
    x = torch.rand(2, 4, 84, 84)
    assert torch.equal(agent.policy(x).preferences, POLICY(x).preferences)


@pytest.mark.parametrize("override", [False, True])
def test_a_pickle_as_weights_is_refused_whatever_the_environment_says(
    tmp_path: Path, canary: Canary, override: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if override:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    hostile = {
        "weights.pth": torch_bytes({"conv1.weight": canary}),
        "bare.pkl": pickle.dumps(canary),
        "vecnormalize.pkl": pickle.dumps({"obs_rms": canary}),
    }
    legacy = io.BytesIO()
    torch.save({"w": canary}, legacy, _use_new_zipfile_serialization=False)
    hostile["legacy.tar"] = legacy.getvalue()
    for name, content in hostile.items():
        path = tmp_path / name
        path.write_bytes(content)
        for format in ("torch-state-dict", "baby-a3c"):
            with pytest.raises(UnsafeCheckpoint, match=r"othing was run"):
                load_agent(path, env="ALE/Pong-v5", format=format)
    with pytest.raises(UnsafeCheckpoint, match=r"policy\.pth: loading it would run posix\.mkdir"):
        load(write_zip(tmp_path / "m.zip", weights=hostile["weights.pth"]))


def test_a_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(UnsafeCheckpoint, match=r"torch\.nn\.modules\.linear\.Linear.*state_dict"):
        read_torch_file(tmp_path / "module.pt")


@pytest.mark.parametrize(
    "member",
    [
        "run.py",
        "lib.so",
        "model.pt",
        "model.pt2",
        "buffer.pkl",
        "inner.zip",
        "../data",
        "/etc/x",
        "a/../../b",
        "C:/x",
        "..\\x",
    ],
)
def test_members_with_code_or_climbing_names_are_refused(tmp_path: Path, member: str) -> None:
    path = write_zip(tmp_path / "model.zip", extra={member: b"x"})
    with pytest.raises(UnsafeCheckpoint, match="member"):
        load_agent(path, env="ALE/Pong-v5", format="sb3")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.zip"]


def test_harmless_extra_members_are_ignored(tmp_path: Path) -> None:
    extra = {"notes.txt": b"x", "pytorch_variables.pth": b"never read", "system_info.txt": b"y"}
    assert load(write_zip(tmp_path / "model.zip", extra=extra)).spec.algorithm == "PPO"


def test_links_duplicates_and_crowds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    write_zip(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeCheckpoint, match="is a link"):
        load(path)
    write_zip(path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("data", "{}")
    with pytest.raises(UnsafeCheckpoint, match="is there twice"):
        load(path)
    with pytest.raises(UnsafeCheckpoint, match="members, expected at most"):
        load(write_zip(path, extra={f"m{i}": b"" for i in range(5000)}))


def test_scripted_and_compressed_torch_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    path.write_bytes(WEIGHTS)
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{root}/code/__torch__.py", "import os")
    with pytest.raises(UnsafeCheckpoint, match="no part of a state dict"):
        read_torch_file(path)
    path.write_bytes(WEIGHTS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{root}/x", b"0" * 100, compress_type=zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeCheckpoint, match="compressed"):
        read_torch_file(path)


def huge(shape: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    return torch.as_strided(torch.zeros(1), shape, stride)


def test_a_small_file_that_claims_terabytes_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "huge.pt"
    torch.save({"w": huge((1 << 20, 1 << 20), (0, 0))}, path)
    assert path.stat().st_size < 2000
    start = time.perf_counter()
    with pytest.raises(UnsafeCheckpoint, match=r"1,099,511,627,776 elements.*storage holds 1"):
        read_torch_file(path)
    assert time.perf_counter() - start < 1.0


def test_storages_that_claim_more_than_the_file_has_are_refused(tmp_path: Path) -> None:
    small, many = torch_bytes({"w": torch.zeros(3)}), 1 << 40
    assert small.count(b"K\x03tqQ") or small.count(b"K\x03t")
    for legacy in (False, True):
        stream = io.BytesIO()
        torch.save({"w": torch.zeros(7)}, stream, _use_new_zipfile_serialization=not legacy)
        content = stream.getvalue()
        # the number of elements of the storage, as pickled: K\x07, then a tuple of it
        claim = b"\x8a\x06" + many.to_bytes(6, "little")
        place = content.index(b"K\x07")
        path = tmp_path / f"claims-{legacy}.pt"
        if legacy:
            path.write_bytes(content[:place] + claim + content[place + 2 :])
        else:
            with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w") as new:
                for name in old.namelist():
                    data = old.read(name)
                    new.writestr(name, data.replace(b"K\x07", claim, 1) if "pkl" in name else data)
        with pytest.raises(UnsafeCheckpoint, match=r"claims 4,398,046,511,104 bytes"):
            read_torch_file(path)


def test_hostile_files_stay_small_in_memory(tmp_path: Path) -> None:
    """A zip bomb and a 4 TB claim, in a process that may take little more than it has."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", json.dumps(FIELDS))
        archive.writestr("policy.pth", b"\0" * (600 << 20))
    assert bomb.stat().st_size < 1 << 20
    torch.save({"w": huge((1 << 40,), (0,))}, tmp_path / "huge.pt")
    script = textwrap.dedent("""
        import resource, sys, time
        from agentlens.errors import UnsafeCheckpoint
        from agentlens.policies.agent import load_agent
        from agentlens.policies.formats import sb3, torch_state_dict
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (100 << 20),) * 2)
        for path in sys.argv[1:]:
            start = time.perf_counter()
            try:
                load_agent(path, env="ALE/Pong-v5")
            except UnsafeCheckpoint:
                assert time.perf_counter() - start < 1.0
                print("refused")
    """)
    run = subprocess.run(
        [sys.executable, "-c", script, str(bomb), str(tmp_path / "huge.pt")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout.split() == ["refused", "refused"], run.stderr
    assert resource.getrlimit(resource.RLIMIT_AS)[0] != 0


def test_a_member_that_lies_about_its_size_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("policy.pth", WEIGHTS)
        archive.writestr("data", b" " * (1 << 20))
    content = path.read_bytes()
    lied = content.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 1000))
    path.write_bytes(lied)
    with pytest.raises(CheckpointError):
        load(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[" * 5000 + "]" * 5000, "nested deeper"),
        ('{"a": ' * 70 + "1" + "}" * 70, "nested deeper"),
        ('{"gamma": NaN}', "NaN is not a JSON number"),
        ('{"gamma": -Infinity}', "-Infinity is not"),
        ('{"gamma": 1, "gamma": 2}', "'gamma' is there twice"),
        ('{"gamma": ' + "9" * 5000 + "}", "not readable JSON"),
        ("[1, 2]", "no JSON object"),
        ("{", "not readable JSON"),
        (b"\xff\xfe", "not readable JSON"),
        ('{"policy_kwargs": "text", "observation_space": 7, "action_space": []}', ""),
    ],
)
def test_json_is_read_strictly(tmp_path: Path, data: Any, message: str) -> None:
    path = write_zip(tmp_path / "model.zip", data)
    if not message:
        assert load(path).spec.observation.resize == (84, 84)
        return
    with pytest.raises(CheckpointError, match=message):
        load(path)


@pytest.mark.parametrize(
    "declared", ["<class 'torch.nn.modules.activation.Evil'>", "__import__('os').mkdir('x')"]
)
def test_a_declared_activation_is_a_name_from_a_table(tmp_path: Path, declared: str) -> None:
    fields = {**FIELDS, "policy_kwargs": {"activation_fn": declared}}
    tensors = sb3_tensors()
    tensors["mlp_extractor.policy_net.0.weight"] = torch.zeros(512, 512)
    tensors["mlp_extractor.policy_net.0.bias"] = torch.zeros(512)
    path = write_zip(tmp_path / "m.zip", fields, weights=torch_bytes(tensors))
    with pytest.raises(CheckpointError, match="activation is declared as"):
        load(path)


def test_the_zoos_yaml_is_data(tmp_path: Path, canary: Canary) -> None:
    path = write_zip(tmp_path / "model.zip")
    args, config = tmp_path / "args.yml", tmp_path / "config.yml"
    ordered = (
        "!!python/object/apply:collections.OrderedDict\n- - - env\n    - {}\n  - - "
        "algo\n    - a2c\n"
    )
    args.write_text(ordered.format("PongNoFrameskip-v4"))
    config.write_text(
        "!!python/object/apply:collections.OrderedDict\n- - - env_wrapper\n    - "
        "- stable_baselines3.common.atari_wrappers.AtariWrapper\n  - - normalize\n    - false\n"
    )
    spec = load_agent(path).spec
    assert (spec.environment.id, spec.algorithm) == ("PongNoFrameskip-v4", "A2C")
    assert (spec.preset, spec.assumed) == ("sb3-atari", ())
    for text in (
        f"!!python/object/apply:os.mkdir [{canary.path}]",
        f"env: !!python/object/new:os.mkdir [{canary.path}]",
        "env: !!python/name:os.system",
        "a: &a [1]\nb: [*a, *a]",
    ):
        args.write_text(text)
        with pytest.raises(UnsafeCheckpoint, match=r"args\.yml"):
            load_agent(path)
    args.write_text("env: [")
    with pytest.raises(CheckpointError, match="not readable YAML"):
        load_agent(path)
    args.write_text("env: PongNoFrameskip-v4")
    config.write_text(yaml.safe_dump({"normalize": "dict(norm_obs=__import__('os').mkdir('x'))"}))
    with pytest.raises(UnsafeCheckpoint, match="normalize is an expression"):
        load_agent(path)


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02cos\nsystem\nq\x00.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x02c__builtin__\neval\n.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        b"(ios\nsystem\n.",
    ],
)
def test_no_pickle_opcode_reaches_a_foreign_name(content: bytes) -> None:
    with pytest.raises(UnsafeCheckpoint, match="would run"):
        scan_pickle(io.BytesIO(content), "file")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"\x80\xff.",
        b"(" * 1000,
        b"\x80\x02r\xff\xff\xff\xff.",
        b"0.",
        b"\x82\x01.",
        b"\x80\x02X\xff\xff\xff\xff",
        b"\x80\x02ccollections\nOrderedDict\nK\x01R.",
        b"I1_\n0b.",
        b"\x80\x05\x96" + (1 << 45).to_bytes(8, "little") + b".",
        b"\x80\x04\x8d" + (1 << 45).to_bytes(8, "little") + b".",
        b"\x80\x04\x95" + (1 << 45).to_bytes(8, "little") + b".",
    ],
)
def test_broken_pickles_are_checkpoint_errors(content: bytes) -> None:
    with pytest.raises(CheckpointError, match="file: "):
        scan_pickle(io.BytesIO(content), "file")


def test_a_claim_cannot_be_rewritten_after_it_was_checked() -> None:
    def text(word: bytes) -> bytes:
        return b"X" + len(word).to_bytes(4, "little") + word

    storage = (
        pickle.MARK
        + text(b"storage")
        + pickle.GLOBAL
        + b"torch\nFloatStorage\n"
        + text(b"0")
        + text(b"cpu")
        + pickle.LONG1
        + b"\x06"
        + (10**11).to_bytes(6, "little")
        + pickle.TUPLE
        + pickle.BINPERSID
    )
    rewrite = (
        pickle.EMPTY_DICT
        + text(b"elements")
        + pickle.BININT1
        + b"\x04"
        + pickle.SETITEM
        + pickle.BUILD
    )
    claims = scan_pickle(io.BytesIO(storage + pickle.STOP), "x")
    assert claims.storages["0"].elements == 10**11
    with pytest.raises(CheckpointError):
        scan_pickle(io.BytesIO(storage + rewrite + pickle.STOP), "x")
