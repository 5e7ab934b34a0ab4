"""Recordings: the same for any number of games at once, replayable, and whole after a stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentlens.arrays import scale_planes
from agentlens.envs.atari.emulator import rom_md5
from agentlens.errors import (
    AlreadyExists,
    Corrupt,
    EmulatorError,
    Interrupted,
    InvalidArgument,
    NotFinite,
    UnknownName,
)
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import verify
from agentlens.store.recording import Episode, Recording, open_recording
from tests.rollout_agents import tiny_agent

RANDOM_SKIP: dict[str, Any] = {"frame_skip": (2, 4), "repeat_action_probability": 0.25}
ROOT = Path(__file__).resolve().parents[2]


def contents(recording: Recording) -> list[tuple[int, str, bytes]]:
    return [
        (len(e), e.end, e.logits.tobytes() if e.logits is not None else b"")
        for e in recording.episodes
    ]


@pytest.mark.parametrize("state_size", [0, 16])
def test_one_game_at_a_time_or_five(tmp_path: Path, state_size: int) -> None:
    agent = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5", state_size=state_size, **RANDOM_SKIP)
    one = record(agent, output=tmp_path / "one", play=Play(episodes=6, seed=3, max_steps=45))
    five = record(
        agent, output=tmp_path / "five", play=Play(episodes=6, seed=3, max_steps=45, n_envs=5)
    )
    assert [e.digest for e in one.episodes] == [e.digest for e in five.episodes]
    assert contents(one) == contents(five)
    assert one.distinct_episodes == 6
    alone = record(agent, output=tmp_path / "alone", play=Play(episodes=1, seed=3, max_steps=45))
    assert alone.episodes[0].digest == one.episodes[0].digest
    other = record(agent, output=tmp_path / "other", play=Play(episodes=1, seed=4, max_steps=45))
    assert other.episodes[0].content != one.episodes[0].content


@pytest.mark.parametrize(
    "preset", ["sb3-atari", "cleanrl-atari", "ale-vector", "baby-a3c", "ale-v5"]
)
def test_replay_is_exact(tmp_path: Path, preset: str) -> None:
    agent = tiny_agent(
        tmp_path / "agent", "ALE/Breakout-v5", preset=preset, state_size=4, **RANDOM_SKIP
    )
    recording = record(
        agent, output=tmp_path / "r", play=Play(episodes=2, seed=1, max_steps=80, n_envs=2)
    )
    verdicts = verify(recording)
    assert [str(v) for v in verdicts] == [
        "episode 0: exact, 80 steps",
        "episode 1: exact, 80 steps",
    ]


def test_other_last_bits_make_another_file_of_the_same_exact_game(tmp_path: Path) -> None:
    """As another kind of processor computes them."""
    agent, play = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5"), Play(seed=1, max_steps=40)
    here = record(agent, output=tmp_path / "here", play=play)
    with torch.no_grad():
        for parameter in agent.policy.parameters():
            parameter.mul_(1 + 3e-7)
    there = record(agent, output=tmp_path / "there", play=play)
    assert np.abs(here.episodes[0].logits - there.episodes[0].logits).max() > 0
    assert here.episodes[0].digest != there.episodes[0].digest
    assert here.episodes[0].content == there.episodes[0].content
    assert [str(v) for r in (here, there) for v in verify(r)] == ["episode 0: exact, 40 steps"] * 2


def rows_agree(episode: Episode) -> None:
    frames = episode.emulator_frames
    np.testing.assert_array_equal(frames[1:], frames[:-1] + episode.frames_advanced[:-1])
    np.testing.assert_array_equal(episode.clipped_rewards, np.sign(episode.rewards))


def test_rows_hold_what_the_network_saw_and_said(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5", state_size=8, frame_skip=4)
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=1, seed=2, max_steps=250))
    (episode,) = recording.episodes
    rows_agree(episode)
    lost = np.flatnonzero(np.diff(episode.lives) < 0) + 1
    assert len(lost) >= 2
    resets = np.flatnonzero(episode.stack_resets)
    np.testing.assert_array_equal(resets, [0, *lost])
    np.testing.assert_array_equal(np.flatnonzero(episode.state_resets), resets)
    assert [f[:, 1].tolist() for f in np.array(episode.forced, object)[lost]] == [[4, 4, 4]] * len(
        lost
    )
    np.testing.assert_array_equal(episode.frames_advanced[lost - 1], 16)
    assert episode.states is not None
    assert episode.logits is not None
    assert not episode.states[resets].any()
    observations = torch.from_numpy(episode.observations[:])
    for t in range(len(episode)):
        state = torch.from_numpy(episode.states[t : t + 1])
        output = agent.policy(observations[t : t + 1], state)
        np.testing.assert_array_equal(output.preferences[0], episode.logits[t])
        if t + 1 < len(episode) and t + 1 not in resets:
            np.testing.assert_array_equal(output.state[0], episode.states[t + 1])
    stack = episode.observations[int(lost[0])]
    assert not stack[:3].any()
    np.testing.assert_array_equal(stack[3], scale_planes(episode.planes[int(lost[0])], 255.0))


def test_selection(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5", selection="greedy", frame_skip=4)
    greedy = record(agent, output=tmp_path / "greedy", play=Play(seed=2, max_steps=60)).episodes[0]
    assert greedy.logits is not None
    np.testing.assert_array_equal(greedy.actions, greedy.logits.argmax(axis=1))
    mixed = record(agent, output=tmp_path / "mixed", play=Play(seed=2, max_steps=200, epsilon=0.5))
    assert mixed.header.agent.action.selection == "epsilon"
    assert mixed.header.agent.action.epsilon == 0.5
    episode = mixed.episodes[0]
    assert episode.logits is not None
    agreeing = (episode.actions == episode.logits.argmax(axis=1)).mean()
    assert 0.5 < agreeing < 0.75
    with pytest.raises(InvalidArgument, match="goes with selection 'epsilon'"):
        record(agent, output=tmp_path / "x", play=Play(selection="greedy", epsilon=0.1))
    with pytest.raises(UnknownName, match="'sample'"):
        record(agent, output=tmp_path / "x", play=Play(selection="sampled"))
    agent.policy.kind = "q_values"
    with pytest.raises(InvalidArgument, match="needs logits"):
        record(agent, output=tmp_path / "x", play=Play(selection="sample"))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("episodes", 0),
        ("n_envs", 0),
        ("max_steps", -1),
        ("seed", -1),
        ("seed", True),
        ("seed", 1.0),
        ("episodes", 2.0),
        ("stuck_after", -1),
    ],
)
def test_arguments_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=name):
        Play(**{name: value})


def test_huge_seeds_are_recorded_as_words(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent")
    recording = record(agent, output=tmp_path / "r", play=Play(seed=2**31 - 1, max_steps=3))
    assert len(recording.episodes[0].seed_words) == 4
    assert verify(recording)[0].exact


def test_an_identical_start_is_one_distinct_episode(tmp_path: Path) -> None:
    agent = tiny_agent(
        tmp_path / "agent", selection="greedy", start=(), repeat_action_probability=0.0
    )
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=3, max_steps=40))
    assert recording.distinct_episodes == 1


def test_a_loop_ends_as_stuck(tmp_path: Path) -> None:
    nothing = {"frame_skip": 4, "start": (), "repeat_action_probability": 0.0}
    agent = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5", selection="greedy", **nothing)
    agent.policy.weights.zero_()  # always NOOP, so the ball is never served
    stuck = record(agent, output=tmp_path / "r", play=Play(stuck_after=30, max_steps=500)).episodes[
        0
    ]
    assert stuck.end == "stuck"
    assert 30 < len(stuck) < 60
    free = record(agent, output=tmp_path / "f", play=Play(stuck_after=0, max_steps=90)).episodes[0]
    assert (free.end, len(free)) == ("max_steps", 90)


def test_a_whole_game_ends_as_terminated(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", "ALE/Breakout-v5", repeat_action_probability=0.0)
    recording = record(agent, output=tmp_path / "r", play=Play(seed=1, max_steps=2000))
    (episode,) = recording.episodes
    assert episode.end == "terminated"
    assert episode.terminated[-1]
    assert not episode.terminated[:-1].any()
    assert recording.complete
    assert verify(recording)[0].exact


def test_outputs_that_are_not_finite_stop(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent")
    agent.policy.weights[0, 0] = float("nan")
    with pytest.raises(NotFinite, match="the policy's logits"):
        record(agent, output=tmp_path / "r", play=Play(max_steps=5))


def test_nothing_is_overwritten_and_resume_finishes(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", **RANDOM_SKIP)
    whole = record(agent, output=tmp_path / "whole", play=Play(episodes=3, max_steps=40))
    record(agent, output=tmp_path / "r", play=Play(episodes=1, max_steps=40))
    with pytest.raises(AlreadyExists):
        record(agent, output=tmp_path / "r", play=Play(episodes=3, max_steps=40))
    resumed = record(agent, output=tmp_path / "r", resume=True, play=Play(episodes=3, max_steps=40))
    assert [e.digest for e in resumed.episodes] == [e.digest for e in whole.episodes]
    assert resumed.complete


def test_a_signal_leaves_a_recording_that_resumes(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", **RANDOM_SKIP)

    def stop_soon(done: int, total: int) -> None:
        if done == 75:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="stopped by SIGTERM"):
        record(
            agent,
            output=tmp_path / "r",
            progress=stop_soon,
            play=Play(episodes=3, max_steps=50, n_envs=1),
        )
    assert signal.getsignal(signal.SIGTERM) is before
    stopped = open_recording(tmp_path / "r")
    assert not stopped.complete
    assert [len(e) for e in stopped.episodes] == [50, 25]
    assert all(v.exact for v in verify(stopped))
    resumed = record(agent, output=tmp_path / "r", resume=True, play=Play(episodes=3, max_steps=50))
    whole = record(agent, output=tmp_path / "w", play=Play(episodes=3, max_steps=50))
    assert [e.digest for e in resumed.episodes] == [e.digest for e in whole.episodes]


CHILD = """
import sys
from pathlib import Path
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from tests.rollout_agents import tiny_agent
folder = Path(sys.argv[1])
agent = tiny_agent(folder / "agent", frame_skip=(2, 4), repeat_action_probability=0.25)
record(agent, output=folder / "r", play=Play(episodes=2, max_steps=400, n_envs=1),
       progress=lambda done, total: print(done, flush=True))
"""


def test_sigkill_leaves_a_verified_prefix(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for line in child.stdout:
        if int(line) >= 530:
            break
    child.kill()
    child.wait()
    child.stdout.close()
    killed = open_recording(tmp_path / "r")
    assert [e.complete for e in killed.episodes] == [True, False]
    assert len(killed.episodes[1]) >= 530 - 400 - 32
    assert all(v.exact for v in verify(killed))
    agent = tiny_agent(tmp_path / "agent", **RANDOM_SKIP)
    resumed = record(
        agent, output=tmp_path / "r", resume=True, play=Play(episodes=2, max_steps=400)
    )
    assert resumed.complete
    assert all(v.exact for v in verify(resumed))


def test_memory_does_not_grow_with_the_episode(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent", preset="baby-a3c", state_size=4)
    sizes = []

    def measure(done: int, total: int) -> None:
        if done % 200 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            sizes.append(pages * os.sysconf("SC_PAGESIZE") / 2**20)

    record(agent, output=tmp_path / "r", progress=measure, play=Play(max_steps=1600, stuck_after=0))
    assert max(sizes[3:]) - sizes[2] < 8, f"resident MiB every 200 steps: {sizes}"


def test_another_cartridge_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = tiny_agent(tmp_path / "agent")
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=3))
    monkeypatch.setattr("agentlens.envs.atari.emulator.rom_md5", lambda game: "0" * 32)
    with pytest.raises(EmulatorError, match=f"{'0' * 32}.*{rom_md5('pong')}"):
        verify(recording)


def test_verify_checks_the_copy_of_the_agent_too(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent")
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=3))
    manifest = recording.agent_folder / "agent.toml"
    manifest.write_text(manifest.read_text() + "# altered\n")
    with pytest.raises(Corrupt, match=r"agent\.toml"):
        verify(recording)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("reward", 1.0),
        ("lives", 9),
        ("ram", "flip"),
        ("screen", "flip"),
        ("plane", "flip"),
        ("action", "flip"),
        ("stack_reset", True),
    ],
)
def test_verify_names_the_first_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, change: Any
) -> None:
    agent = tiny_agent(tmp_path / "agent", **RANDOM_SKIP)
    play, count = Player.play, iter(range(10_000))

    def altered(self: Player, action: int, outputs: Any) -> Any:
        row = play(self, action, outputs)
        if next(count) != 21:
            return row
        if change == "flip" and field == "action":
            return replace(row, action=(row.action + 2) % 6)
        if change == "flip":
            array = getattr(row, field).copy()
            array.ravel()[7] ^= 2
            return replace(row, **{field: array})
        return replace(row, **{field: change})

    monkeypatch.setattr(Player, "play", altered)
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=60))
    monkeypatch.undo()
    (verdict,) = verify(recording)
    assert not verdict.exact
    if field == "action":
        assert verdict.step is not None
        assert verdict.step > 21
    else:
        assert (verdict.step, verdict.field) == (21, field)
        assert "recorded" in str(verdict)


@pytest.mark.policies
@pytest.mark.parametrize(
    ("path", "format", "env_id"),
    [
        ("baby-a3c/pong/model.80.tar", "baby-a3c", "ALE/Pong-v5"),
        ("pong-nature/late/model.zip", "sb3", "PongNoFrameskip-v4"),
    ],
)
def test_public_policies(
    policies_folder: Path, tmp_path: Path, path: str, format: str, env_id: str
) -> None:
    agent = load_agent(policies_folder / path, format=format, env=env_id)
    recording = record(
        agent, output=tmp_path / "r", play=Play(episodes=2, seed=1, n_envs=2, max_steps=120)
    )
    assert all(v.exact for v in verify(recording))
    assert json.loads((tmp_path / "r" / "recording.json").read_text())
    assert list(recording.agent_folder.iterdir())
