"""A kind of environment is one file of another package, found by entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agentlens.envs.base import ENVIRONMENTS
from agentlens.envs.protocols import kind_of
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import verify

PLUGIN = '''
from dataclasses import dataclass

import numpy as np

from agentlens.envs.base import Described, Environment, EnvironmentKind, Outcome


@dataclass(frozen=True, kw_only=True)
class Options:
    length: int = 6


class Counter(Environment):
    """A picture that gets brighter with every RIGHT."""

    screen_shape, ticks_per_second = (8, 8, 3), 5.0

    def __init__(self, spec, meanings):
        self.action_meanings = tuple(meanings)
        self.identity = {"counter": 1}
        self._length = spec.options["length"]

    def reset(self, *, seed, rules):
        self._count, self._tick = seed % 7, 0
        self._draw()
        return ()

    def step(self, action):
        self._count += self.checked_action(action)
        self._tick += 1
        self._draw()
        return Outcome(reward=float(action), frames=1, terminated=self._tick >= self._length)

    def _draw(self):
        self.screen = np.full(self.screen_shape, 10 * self._count, np.uint8)
        self.screen_before = self.previous_screen = self.screen

    @property
    def tick(self):
        return self._tick

    def fingerprint(self):
        return bytes([self._count, self._tick])


class Kind(EnvironmentKind):
    options = Options
    environment_defaults = {"start": (), "after_life_loss": ()}
    observation_defaults = {"pool": "none", "grayscale": "mean", "resize": (8, 8),
                            "interpolation": "cv2-area", "stack": 2}

    def knows(self, env_id):
        return env_id == "Counter-v0"

    def describe(self, env_id, options=None, *, trust_code=False):
        return Described(environment={
            "id": env_id, "game": "counter", "frame_skip": (1, 1),
            "repeat_action_probability": 0.0, "max_frames": 0,
        })

    def action_meanings(self, spec, *, trust_code=False):
        return ("STAY", "RIGHT")

    def make(self, spec, meanings, *, like=None, trust_code=False):
        return Counter(spec, meanings)


ENVIRONMENT = Kind()
'''


@pytest.fixture
def _counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counter_package.py").write_text(PLUGIN)
    info = tmp_path / "counter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[agentlens.environments]\ncounter = counter_package:ENVIRONMENT\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "counter_package", raising=False)
    monkeypatch.setattr("agentlens.envs.protocols._kinds", lambda: ENVIRONMENTS.names())


@pytest.mark.usefixtures("_counter")
def test_a_third_world_is_recorded_and_replayed(tmp_path: Path) -> None:
    assert {"atari", "counter", "gymnasium"} <= set(ENVIRONMENTS.names())
    assert kind_of("Counter-v0") == "counter"
    agent = load_agent("random", env="Counter-v0")
    assert agent.spec.environment.options == {"length": 6}
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=2, seed=1))
    assert [e.end for e in recording.episodes] == ["terminated"] * 2
    first = recording.episodes[0]
    assert first.raw_return == first.actions.sum()
    assert first.fingerprints.shape == (6, 2)
    assert all(verdict.exact for verdict in verify(recording))
