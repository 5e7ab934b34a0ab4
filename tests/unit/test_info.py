"""What ``agentlens info`` says of each kind of thing, and how it refuses the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import agentlens
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.workflows.info import info


def test_an_agent_by_name_says_how_it_plays_and_what_to_do_with_it() -> None:
    lines = info("pong-ppo")
    assert lines[0] == "agent: pong-ppo (PPO)"
    assert any(line.startswith("score: +19.5") for line in lines)
    assert lines[-3] == "go on: agentlens video pong-ppo"


def test_a_recording_and_its_maps(tmp_path: Path) -> None:
    agent = agentlens.load_agent("random", env="ALE/Pong-v5")
    folder = tmp_path / "r"
    recording = agentlens.record(agent, output=folder, play=agentlens.Play(max_steps=6))
    maps = agentlens.explain(recording, "energy", steps=[2, 3])
    lines = info(folder)
    assert "episode 0: 6 steps, return +0, max_steps" in lines
    assert f"maps: {maps.folder} (2 steps, energy)" in lines
    assert info(folder / "recording.json") == lines
    assert maps.folder is not None
    lines = info(maps.folder)
    assert lines[2] == "steps: 2"  # energy explains no action
    assert lines[-1] == f"go on: agentlens render {folder} --maps {maps.folder}"


def test_a_report_says_its_summary(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"summary": "they differ"}))
    assert info(tmp_path)[1] == "they differ"
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(InvalidArgument, match="not JSON"):
        info(tmp_path)


def test_what_is_none_of_these_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(InvalidArgument, match="expected an agent"):
        info(tmp_path / "x.zip")
    with pytest.raises(UnknownName, match="pong-ppo"):
        info("pongg-ppo")
