"""What is said of a recording at its end: signs of wrong scaling, on a real agent."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import agentlens
from agentlens.workflows.summary import recording_summary, scaling_warning


@pytest.mark.parametrize(
    ("divisor", "words"),
    [
        (255.0, ""),
        (1.0, "nearly every action is certain"),
        (65025.0, "no action's probability changes much"),
    ],
)
def test_another_scale_than_the_network_s_own_is_noticed(
    tmp_path: Path, divisor: float, words: str
) -> None:
    agent = agentlens.load_agent("pong-ppo")
    observation = dataclasses.replace(agent.spec.observation, scale_divisor=divisor)
    agent = dataclasses.replace(
        agent, spec=dataclasses.replace(agent.spec, observation=observation)
    )
    recording = agentlens.record(
        agent,
        output=tmp_path / "x",
        play=agentlens.Play(max_steps=200),
        compute=agentlens.Compute(device="cpu"),
    )
    warning = scaling_warning(recording)
    assert words in warning
    assert bool(warning) == bool(words)
    if words:
        assert f"divided by {divisor:g} (scale_divisor" in recording_summary(recording)


def test_the_random_agent_is_not_suspected(tmp_path: Path) -> None:
    agent = agentlens.load_agent("random", env="ALE/Pong-v5")
    recording = agentlens.record(
        agent,
        output=tmp_path / "x",
        play=agentlens.Play(max_steps=100),
        compute=agentlens.Compute(device="cpu"),
    )
    assert scaling_warning(recording) == ""
