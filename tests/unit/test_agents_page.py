"""docs/agents.md names every key, layer, format and preset, and its class of one's own runs."""

from __future__ import annotations

import dataclasses
import importlib
import re
import tomllib
import typing
from pathlib import Path

import pytest
import torch

from agentlens.cli import main
from agentlens.cli._flags import flags_of
from agentlens.cli._verb import VERBS
from agentlens.envs import protocols
from agentlens.envs.atari.options import AtariOptions
from agentlens.envs.atari.presets import PRESETS
from agentlens.errors import CheckpointError, UnsafeCheckpoint
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.agent import load_agent
from agentlens.policies.architectures import ARCHITECTURES
from agentlens.policies.checkpoint import FORMATS
from agentlens.policies.manifest import decode_network
from agentlens.policies.networks import build_policy
from agentlens.rollout.returns import Play
from agentlens.spec import (
    ActionSpec,
    AgentSpec,
    EnvironmentSpec,
    ObservationSpec,
    Phase,
    ScoreSpec,
    ValueSpec,
)
from agentlens.workflows.video import video

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text("utf-8")
SPECS = (
    *(AgentSpec, EnvironmentSpec, AtariOptions, Phase, ObservationSpec, ActionSpec),
    *(NetworkSpec, ChainSpec, LayerSpec, ValueSpec, ScoreSpec),
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("spec", SPECS)
def test_every_key_is_named(spec: type) -> None:
    missing = [f.name for f in dataclasses.fields(spec) if not re.search(rf"\b{f.name}\b", PAGE)]
    assert not missing


def test_every_layer_output_format_preset_and_architecture_is_named() -> None:
    kinds = typing.get_args(typing.get_type_hints(LayerSpec)["kind"])
    outputs = typing.get_args(typing.get_type_hints(ChainSpec)["output"])
    named = [o for part in outputs for o in typing.get_args(part) or [part] if o is not type(None)]
    for name in (*kinds, *named, *FORMATS.names(), *ARCHITECTURES):
        assert f"`{name}`" in PAGE, name
    for name in PRESETS:
        assert f"`{name}`" in PAGE, name


def test_the_pages_network_builds_and_its_sources_name_its_layers() -> None:
    chains, sources = (tomllib.loads(text) for text in blocks("toml")[:2])
    network = decode_network(chains["network"], 6)
    observation = ObservationSpec(
        pool="none", grayscale="cv2", resize=(20, 20), interpolation="cv2-area", stack=4
    )
    meanings = tuple("abcdef")
    policy = build_policy(network, observation, ActionSpec(meanings=meanings, selection="sample"))
    own = {name.rsplit(".", 1)[0] for name in policy.state_dict()}
    numbers = {chain.name: i for i, chain in enumerate(network.chains)}
    named = {
        f"chains.{numbers[chain]}.{index}"
        for chain, index in (layer.split(".") for layer in sources["sources"])
    }
    assert named == own


def test_a_class_written_from_the_page_alone_plays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "agents" / "two-looks"
    folder.mkdir(parents=True)
    (folder / "agent.toml").write_text(blocks("toml")[2])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"no such weight file"):
        load_agent("two-looks", trust_code=True)
    (folder / "two-looks.pt").write_bytes(b"x")
    with pytest.raises(UnsafeCheckpoint, match="--trust-code"):
        load_agent("two-looks")
    with pytest.raises(CheckpointError, match="no module 'my_policy'; put its folder"):
        load_agent("two-looks", trust_code=True)
    (tmp_path / "my_policy.py").write_text(blocks("python")[0])
    monkeypatch.syspath_prepend(str(tmp_path))
    kind = importlib.import_module("my_policy").TwoLooks
    shape = protocols.resolve("ALE/Pong-v5", preset="ale-vector").observation
    spec = dataclasses.replace(
        load_agent("random", env="ALE/Pong-v5").spec, observation=shape, name="two-looks"
    )
    torch.save(kind(spec).state_dict(), folder / "two-looks.pt")
    agent = load_agent("two-looks", trust_code=True)
    output = agent.policy(torch.rand(3, 4, 84, 84))
    assert output.preferences.shape == (3, 6)
    assert output.value is not None
    assert not any(p.requires_grad for p in agent.policy.parameters())
    done = video(agent, tmp_path / "v.gif", play=Play(max_steps=2), method="gradient")
    assert len(done.maps.steps) == 2
    recording = str(done.recording.folder)
    other = "FIRE" if done.recording.episodes[0].actions[0] != 1 else "NOOP"
    for command in (
        ["explain", recording, "--method", "random"],
        ["whynot", recording, other, "--step", "0"],
    ):
        assert main(command) == 1
        assert "--trust-code" in capsys.readouterr().err
        assert main([*command, "--trust-code"]) == 0


def test_every_command_that_runs_a_policy_of_the_users_takes_trust_code() -> None:
    flags = {name: {f.name for f in flags_of(VERBS.load(name).options)} for name in VERBS.names()}
    running = {name for name in flags if "device" in flags[name]}
    assert len(running) >= 20
    assert {name for name in running if "trust-code" not in flags[name]} == {"bench", "demo"}
