"""Watching plays the recorded game, explains it as explain does, and leaves a playable file."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest

from agentlens.drawing.video import VideoWriter, count_frames
from agentlens.errors import AlreadyExists, DiskError, InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.rollout.recorder import record
from agentlens.saliency.explain import explain
from agentlens.workflows.live_agent import LiveAgent
from agentlens.workflows.options import DrawOptions, MapOptions, PlayOptions
from agentlens.workflows.watch import watch, watched_lines
from tests.rollout_agents import tiny_agent

SMALL = DrawOptions(scale=1)
COARSE = MapOptions(stride=21)


def test_the_live_game_and_its_maps_are_those_of_record_and_explain(tmp_path: Path) -> None:
    agent = load_agent("pong-ppo")
    recording = record(agent, seed=3, output=tmp_path / "r", max_steps=5, device="cpu")
    maps = explain(recording, device="cpu", engine="incremental", threads=1)
    live = LiveAgent(agent, PlayOptions(seed=3), MapOptions(), max_steps=5, device="cpu", threads=1)
    decisions = list(live.decisions())
    episode = recording.episodes[0]
    assert [d.row.action for d in decisions] == list(episode.actions)
    assert live.end == episode.end == "max_steps"
    for step, decision in enumerate(decisions):
        assert np.array_equal(decision.screen, episode.screens[step])
        assert np.array_equal(decision.maps, maps.values[step])
        assert decision.explained == maps.explained_actions[step]
    assert live.maps.difference(maps.header) in ("targets", "recording_digests")
    assert all(target.noise_floor > 0 for target in live.maps.targets)


def test_a_short_watch_of_the_shipped_agent_writes_every_frame(tmp_path: Path) -> None:
    told: list[str] = []
    counted: list[tuple[int, int]] = []
    done = watch(
        "pong-ppo",
        tmp_path / "live.mp4",
        draw=SMALL,
        max_steps=6,
        warm_up=3,
        device="cpu",
        progress=lambda done, total: counted.append((done, total)),
        say=told.append,
    )
    frames, seconds = count_frames(done.path)
    assert (frames, done.steps, done.end) == (6, 6, "max_steps")
    assert seconds == pytest.approx(6 * 4 / 60)
    assert done.real_time == 15.0
    assert counted == [(i, 6) for i in range(1, 7)]
    assert told == [f"growing: {tmp_path / 'live.partial.mp4'}"]
    assert done.rate > 0
    assert set(done.stages) == {"play", "explain", "draw", "encode"}
    assert watched_lines(done)[0].startswith("6 decisions in ")
    assert [path.name for path in tmp_path.iterdir()] == ["live.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_finished_file(tmp_path: Path, number: signal.Signals) -> None:
    def stop(done: int, total: int) -> None:
        if done == 4:
            signal.raise_signal(number)

    done = watch(
        tiny_agent(tmp_path / "agent", state_size=3),
        tmp_path / "x.mp4",
        maps=COARSE,
        draw=SMALL,
        device="cpu",
        progress=stop,
    )
    assert done.end == number.name
    assert done.steps == 4
    assert count_frames(tmp_path / "x.mp4")[0] == 4


def test_the_previous_frame_can_be_a_reference_and_a_rate_be_given(tmp_path: Path) -> None:
    done = watch(
        tiny_agent(tmp_path / "agent"),
        tmp_path / "x.mp4",
        max_steps=5,
        device="cpu",
        maps=MapOptions(stride=21, reference="previous"),
        draw=DrawOptions(scale=1, fps=10.0),
    )
    assert count_frames(done.path) == (5, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("maps", "limits", "words"),
    [
        (MapOptions(reference="median"), {}, "median is a picture of a whole recording"),
        (MapOptions(), {"max_steps": -1}, "max_steps -1"),
        (MapOptions(), {"threads": -1}, "threads -1"),
        (MapOptions(memory_gb=0.0), {}, "memory of 0 GB"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_a_file_is_made(
    tmp_path: Path, maps: MapOptions, limits: dict[str, int], words: str
) -> None:
    agent = tiny_agent(tmp_path / "agent")
    with pytest.raises(InvalidArgument, match=words):
        watch(agent, tmp_path / "x.mp4", maps=maps, device="cpu", **limits)
    assert not list(tmp_path.glob("x.*"))


def test_a_file_that_is_there_and_an_impossible_rate_are_refused(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent")
    path = tmp_path / "x.mp4"
    path.write_bytes(b"kept")
    with pytest.raises(AlreadyExists):
        watch(agent, path, max_steps=2, device="cpu")
    with pytest.raises(InvalidArgument, match=r"expected 0\.1 to 240"):
        watch(agent, path, draw=DrawOptions(fps=0.0), force=True, device="cpu")
    assert path.read_bytes() == b"kept"


def test_a_failure_to_draw_ends_the_game_and_leaves_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = VideoWriter.write

    def failing(writer: VideoWriter, frame: np.ndarray, ticks: int = 1) -> None:
        if writer._frames == 3:
            raise DiskError("no space left")
        whole(writer, frame, ticks)

    monkeypatch.setattr(VideoWriter, "write", failing)
    with pytest.raises(DiskError, match="no space"):
        watch(
            tiny_agent(tmp_path / "agent"),
            tmp_path / "x.mp4",
            maps=COARSE,
            draw=SMALL,
            max_steps=200,
            device="cpu",
        )
    assert not (tmp_path / "x.mp4").exists()
    assert count_frames(tmp_path / "x.partial.mp4")[0] == 3
