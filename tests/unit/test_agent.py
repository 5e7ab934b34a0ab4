"""Agents by name, folder and checkpoint: where they are looked for and what is checked on use."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from agentlens.errors import (
    CheckpointError,
    DtypeError,
    InvalidArgument,
    ManifestError,
    NotFinite,
    ShapeError,
    UnknownName,
    UnsafeCheckpoint,
    WeightMismatch,
)
from agentlens.policies import catalogue
from agentlens.policies.agent import list_agents, load_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.policies.device import choose_device
from agentlens.policies.importing import import_agent
from agentlens.policies.probes import check_observations
from agentlens.spec import AgentSpec, ObservationSpec


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An imported agent, in an otherwise empty working directory."""
    recipe = tiny_checkpoint.with_suffix(".toml")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("AGENTLENS_AGENTS", raising=False)
    return import_agent(tiny_checkpoint, tmp_path / "made" / "tiny", manifest=recipe)


def rewrite(folder: Path, old: str, new: str) -> None:
    path = folder / "agent.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_names_are_looked_for_in_the_stated_order(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(UnknownName, match="unknown agent 'tiny'"):
        load_agent("tiny")
    assert load_agent(folder).folder == folder
    assert load_agent(folder / "agent.toml").folder == folder
    installed = tmp_path / "package"
    monkeypatch.setattr(catalogue, "PACKAGE", installed)
    for place in (installed / "_agents", tmp_path / "elsewhere", Path("agents")):
        shutil.copytree(folder, place / "tiny")
        if place.name == "elsewhere":
            monkeypatch.setenv("AGENTLENS_AGENTS", str(place))
        assert load_agent("tiny").folder == place / "tiny"
        assert [(e.spec.name, e.folder) for e in list_agents()] == [
            ("random", None),
            ("tiny", place / "tiny"),
        ]
    shutil.copytree(folder, "tiny")
    assert load_agent("tiny").folder == Path("tiny")
    (Path("agents") / "tiny" / "agent.toml").write_text("broken")
    with caplog.at_level("WARNING"):
        assert [e.spec.name for e in list_agents()] == ["random", "tiny"]
    assert "agents/tiny is left out: " in caplog.text


def test_the_shipped_agent_loads_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTLENS_AGENTS", raising=False)
    agent = load_agent("pong-ppo")
    assert agent.spec.assumed == ()
    assert agent.spec.score is not None
    assert agent.policy(torch.zeros(1, 4, 84, 84)).preferences.shape == (1, 6)
    assert "pong-ppo" in [entry.spec.name for entry in list_agents()]


def test_a_wheel_carries_the_shipped_agents_and_no_others() -> None:
    root = Path(__file__).resolve().parents[2]
    lines = (root / ".gitignore").read_text().splitlines()
    shipped = {line.strip("!/") for line in lines if line.startswith("!agents/")}
    folders = [folder for pattern in shipped for folder in root.glob(pattern)]
    there = {f.relative_to(root).as_posix() for f in folders if (f / "agent.toml").is_file()}
    project = tomllib.loads((root / "pyproject.toml").read_text())
    packed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert packed == {name: name.replace("agents/", "agentlens/_agents/") for name in there}


def test_wrong_names_are_explained(folder: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'pong-ppo'"):
        load_agent("pong-pp")
    with pytest.raises(CheckpointError, match="no such file, folder or agent"):
        load_agent("models/none.zip")
    Path("empty").mkdir()
    with pytest.raises(CheckpointError, match=r"a folder without agent\.toml"):
        load_agent("empty")
    with pytest.raises(InvalidArgument, match="go with a weight file"):
        load_agent(folder, format="sb3")
    with pytest.raises(UnknownName, match=r"unknown checkpoint format .*'sb3'"):
        load_agent(folder / "policy.safetensors", format="sb2", env="ALE/Pong-v5")


def test_altered_weights_are_noticed(folder: Path) -> None:
    path = folder / "policy.safetensors"
    whole = path.read_bytes()
    for place in (len(whole) - 1, len(whole) // 2, 20):
        altered = bytearray(whole)
        altered[place] ^= 1
        path.write_bytes(bytes(altered))
        with pytest.raises(CheckpointError, match="altered or damaged"):
            load_agent(folder)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="empty"):
        load_agent(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match="no such weight file"):
        load_agent(folder)


def test_weights_must_fit_what_the_manifest_says(folder: Path) -> None:
    rewrite(folder, "sha256 =", 'licence = "" #')
    assert load_agent(folder).spec.sha256 == ""
    rewrite(folder, "resize = [6, 5]", "resize = [6, 4]")
    with pytest.raises(WeightMismatch, match=r"'q\.1\.weight' has shape \(4, 60\).*\(4, 48\)"):
        load_agent(folder)
    rewrite(folder, "policy.safetensors", "../policy.safetensors")
    with pytest.raises(ManifestError, match="name of a file beside"):
        load_agent(folder)


def test_another_environment_keeps_the_network_and_drops_the_score(folder: Path) -> None:
    rewrite(folder, "[value]", "[score]\nmean = 1.0\n\n[value]")
    assert load_agent(folder).spec.score is not None
    agent = load_agent(folder, env="BreakoutNoFrameskip-v4")
    assert agent.spec.environment.id == "BreakoutNoFrameskip-v4"
    assert agent.spec.score is None
    with pytest.raises(UnknownName, match="environment"):
        load_agent(folder, env="Breakuot-v4")


def test_actions_are_compared_by_name(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match="'FIRE', which ALE/Freeway-v5 lacks"):
        load_agent(folder, env="ALE/Freeway-v5")


def test_a_copy_on_a_device_leaves_the_agent_alone(folder: Path) -> None:
    agent = load_agent(folder)
    other = agent.to("cpu")
    assert other.policy is not agent.policy
    x = torch.rand(2, *agent.spec.observation.shape)
    assert torch.equal(other.policy(x).preferences, agent.policy(x).preferences)


def test_devices_are_checked() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda")
    for name in ("gpu", "cuda:", "cuda:x", "CUDA", "", "cuda:-1"):
        with pytest.raises(InvalidArgument, match="expected auto, cpu, cuda or cuda:N"):
            choose_device(name)
    with pytest.raises(InvalidArgument, match="CUDA device"):
        choose_device("cuda:99")


class OnePixel(Policy):
    """Reads one pixel."""

    def __init__(self, spec: AgentSpec) -> None:
        super().__init__()
        self.observation_shape = spec.observation.shape
        self.action_meanings = spec.action.meanings
        self.state_size = 0
        self.kind = "logits"
        self.has_value = False
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, observation: torch.Tensor, state: torch.Tensor | None = None) -> PolicyOutput:
        pixel = observation[:, 0, 0, :1] * self.gain
        return PolicyOutput(pixel.repeat(1, len(self.action_meanings)), "logits")


class WithHead(OnePixel):
    """Has a layer named like a method of every policy, which would hide it."""

    def __init__(self, spec: AgentSpec) -> None:
        super().__init__(spec)
        self.head = torch.nn.Linear(2, 4)  # type: ignore[assignment]


def test_a_layer_named_like_a_method_is_refused(folder: Path) -> None:
    rewrite(folder, 'format = "safetensors"', f'format = "{__name__}:WithHead"')
    with pytest.raises(InvalidArgument, match="WithHead has a layer or tensor named 'head'"):
        load_agent(folder, trust_code=True)


def test_a_class_of_its_own_runs_only_when_trusted(folder: Path) -> None:
    rewrite(folder, 'format = "safetensors"', f'format = "{__name__}:OnePixel"')
    with pytest.raises(UnsafeCheckpoint, match="Nothing was run"):
        load_agent(folder)
    with pytest.raises(WeightMismatch, match="gain"):
        load_agent(folder, trust_code=True)
    rewrite(folder, 'weights = "policy.safetensors"', "")
    agent = load_agent(folder, trust_code=True)
    assert agent.policy(torch.full((1, 2, 6, 5), 3.0)).preferences.tolist() == [[3.0] * 4]
    assert not agent.policy.training
    rewrite(folder, ":OnePixel", ":Path")
    with pytest.raises(CheckpointError, match="is no agentlens"):
        load_agent(folder, trust_code=True)
    rewrite(folder, ":Path", "_nowhere:X")
    with pytest.raises(CheckpointError, match="cannot be imported"):
        load_agent(folder, trust_code=True)


SCREENS = ObservationSpec(
    pool="rgb", grayscale="cv2", resize=(84, 80), interpolation="cv2-area", stack=4
)


def test_scaling_is_probed_both_ways() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 4, 84, 80)).astype(np.float32)
    unit = grey / 255
    check_observations(unit, SCREENS)
    check_observations(np.zeros_like(unit), SCREENS)
    bytes_spec = ObservationSpec(
        pool="rgb",
        grayscale="cv2",
        resize=(84, 80),
        interpolation="cv2-area",
        stack=4,
        scale_divisor=1.0,
    )
    check_observations(grey, bytes_spec)
    with pytest.raises(InvalidArgument, match=r"run from 0 to 255.*lie in 0 to 1"):
        check_observations(grey, SCREENS)
    with pytest.raises(InvalidArgument, match="divided twice"):
        check_observations(unit / 255, SCREENS)
    with pytest.raises(InvalidArgument, match="divided twice"):
        check_observations(unit * 0.9, bytes_spec)
    with pytest.raises(InvalidArgument, match="run from -1"):
        check_observations(unit - 1, SCREENS)


def test_shape_and_order_are_probed() -> None:
    unit = np.zeros((3, 4, 84, 80), np.float32)
    with pytest.raises(ShapeError, match=r"look like .*move the planes to axis 1"):
        check_observations(np.moveaxis(unit, 1, 3), SCREENS)
    with pytest.raises(ShapeError, match="Add a batch axis"):
        check_observations(unit[0], SCREENS)
    with pytest.raises(ShapeError, match=r"\(3, 4, 80, 84\), expected \(any, 4, 84, 80\)"):
        check_observations(unit.swapaxes(2, 3), SCREENS)
    with pytest.raises(DtypeError, match="float64, expected float32"):
        check_observations(unit.astype(np.float64), SCREENS)
    unit[1, 2, 3, 4] = np.nan
    with pytest.raises(NotFinite, match=r"\(1, 2, 3, 4\)"):
        check_observations(unit, SCREENS)
