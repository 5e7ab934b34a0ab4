"""agent.toml: what is written is read back, what is wrong is named, what is left out is
resolved."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.envs import protocols
from agentlens.errors import CheckpointError, ManifestError, UnknownName
from agentlens.policies.architectures import ARCHITECTURES, architecture
from agentlens.policies.manifest import manifest_text, read_manifest, write_manifest
from agentlens.policies.toml import write_toml
from agentlens.spec import ActionSpec, AgentSpec, ScoreSpec, ValueSpec

PONG = protocols.resolve("PongNoFrameskip-v4", preset="sb3-atari")
SPEC = AgentSpec(
    name="it",
    format="safetensors",
    environment=PONG.environment,
    observation=PONG.observation,
    action=ActionSpec(meanings=("NOOP", "FIRE"), selection="epsilon", epsilon=0.01),
    network=architecture("baby-a3c", 2),
    weights="policy.safetensors",
    sha256="0" * 64,
    algorithm='A "strange" one: \\ \' 漢字 🎮',
    preset="sb3-atari",
    value=ValueSpec(gamma=0.99, reward="clipped"),
    score=ScoreSpec(mean=-1e-7, episodes=3),
    assumed=("one", "two [three]"),
)
MINIMAL = """
[agent]
name = "it"
format = "safetensors"
preset = "ale-vector"
[environment]
id = "ALE/Pong-v5"
frame_skip = 3
[observation]
stack = 2
[action]
meanings = ["NOOP", "FIRE"]
selection = "sample"
[network]
architecture = "nature-cnn"
plane_order = "newest_first"
"""


def read(tmp_path: Path, text: str) -> AgentSpec:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    for name in ARCHITECTURES:
        spec = dataclasses.replace(SPEC, network=architecture(name, 2))
        write_manifest(tmp_path / "agent.toml", spec)
        assert read_manifest(tmp_path / "agent.toml") == spec
    for other in protocols.presets():
        resolved = protocols.resolve("ALE/Breakout-v5", preset=other)
        spec = dataclasses.replace(
            SPEC, environment=resolved.environment, observation=resolved.observation, score=None
        )
        assert read(tmp_path, manifest_text(spec)) == spec


def test_a_written_manifest_needs_neither_preset_nor_known_id(tmp_path: Path) -> None:
    environment = dataclasses.replace(SPEC.environment, id="Homebrew-v0")
    spec = dataclasses.replace(SPEC, environment=environment, preset="no longer there")
    assert read(tmp_path, manifest_text(spec)) == spec


def test_layers_are_one_short_line_each() -> None:
    lines = manifest_text(SPEC).splitlines()
    assert '    { kind = "conv", out = 32, kernel = 3, stride = 2, padding = 1 },' in lines
    assert '    { kind = "elu" },' in lines
    assert '    { kind = "gru", out = 256 },' in lines


def test_a_preset_and_an_architecture_stand_for_what_is_left_out(tmp_path: Path) -> None:
    spec = read(tmp_path, MINIMAL)
    named = protocols.resolve("ALE/Pong-v5", preset="ale-vector")
    assert spec.environment == dataclasses.replace(named.environment, frame_skip=(3, 3))
    assert spec.observation == dataclasses.replace(named.observation, stack=2)
    assert spec.network == dataclasses.replace(
        architecture("nature-cnn", 2), plane_order="newest_first"
    )
    assert spec.assumed == ("environment.max_frames = 108000",)
    without = read(tmp_path, MINIMAL.replace('preset = "ale-vector"', ""))
    assert any(line.startswith("observation.pool") for line in without.assumed)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[action]", "[actoin]", r"\[actoin\]: unknown table"),
        ("stack = 2", "stak = 2", "observation.stak"),
        ("stack = 2", "stack = 0", "stack 0: expected"),
        ('name = "it"', "", "name: missing"),
        ('name = "it"', "nane = 1", "nane: unknown key; did you mean 'name'"),
        ("frame_skip = 3", 'frame_skip = "3"', "environment.frame_skip"),
        ('id = "ALE/Pong-v5"', "", "environment.id: missing"),
        ('meanings = ["NOOP", "FIRE"]', "", "action.meanings: missing"),
        ('plane_order = "newest_first"', 'plane_order = "newest"', "network.plane_order"),
        ('plane_order = "newest_first"', "chains = []", "exclude each other"),
        ("[agent]", "agent = 3\n[x]", "agent"),
        ("[agent]", "[agent", "not readable TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    with pytest.raises(ManifestError, match=message) as caught:
        read(tmp_path, MINIMAL.replace(old, new))
    assert "agent.toml" in str(caught.value)


def test_unknown_names_list_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'ale-vector'"):
        read(tmp_path, MINIMAL.replace('"ale-vector"', '"ale-vektor"'))
    with pytest.raises(UnknownName, match="or 'nature-cnn'"):
        read(tmp_path, MINIMAL.replace('"nature-cnn"', '"nature"'))
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_manifest(tmp_path / "none" / "agent.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(ManifestError, match="more than"):
        read_manifest(tmp_path / "large.toml")


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALARS = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
)
FLAT = st.dictionaries(TEXT, st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=4)
TABLES = st.dictionaries(
    TEXT, st.dictionaries(TEXT, st.one_of(SCALARS, FLAT, st.lists(FLAT, max_size=3)), max_size=4)
)


@settings(max_examples=150, deadline=None)
@given(TABLES)
def test_any_plain_tables_survive_toml(tables: dict[str, Any]) -> None:
    assert tomllib.loads(write_toml(tables)) == tables


def test_toml_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ManifestError, match="cannot say"):
        write_toml({"a": {"b": None}})
    with pytest.raises(ManifestError, match="surrogate"):
        write_toml({"a": {"b": "\ud800"}})
