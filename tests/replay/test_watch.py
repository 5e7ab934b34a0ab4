"""Watching plays the recorded game, explains it as explain does, and leaves a playable file."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from agentlens.cli.watch import watched_lines
from agentlens.compute import Compute
from agentlens.drawing import live as live_films
from agentlens.drawing.draw import Draw
from agentlens.drawing.screens import pooled
from agentlens.drawing.video import VideoWriter, count_frames
from agentlens.errors import AlreadyExists, DiskError, InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.progress import Progress
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.explain import explain
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.memory import Memory
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.workflows.live_agent import LiveAgent
from agentlens.workflows.video import video
from agentlens.workflows.watch import watch
from tests.rollout_agents import tiny_agent

SMALL, CPU = Draw(scale=1), Compute(device="cpu")
COARSE = Perturbation(stride=21)
MASKS = Path(__file__).resolve().parents[2] / "agents" / "pong-ppo" / "masks"


def test_a_mask_network_serves_watch_and_video_alike(tmp_path: Path) -> None:
    agent, play = load_agent("pong-ppo"), Play(seed=3, max_steps=5)
    method = Lan(network=str(MASKS))
    made = video(agent, tmp_path / "v.mp4", play=play, method=method, compute=CPU, draw=SMALL)
    maps = explain(made.recording, method, compute=CPU)
    live = LiveAgent(agent, play, method, Compute(device="cpu", threads=1))
    decisions = list(live.decisions())
    for step, decision in enumerate(decisions):
        np.testing.assert_allclose(decision.maps, maps.values[step], atol=1e-5)
    assert "gate passed" in live.maps.targets[0].meaning
    assert live.maps.forward_passes == 2
    watched = watch(agent, tmp_path / "w.mp4", play=play, method=method, compute=CPU, draw=SMALL)
    assert watched.steps == 5


def test_a_mask_network_of_another_agent_is_refused_before_the_game(tmp_path: Path) -> None:
    for make in (watch, video):
        with pytest.raises(InvalidArgument, match="other weights"):
            make("pong-ppo-early", tmp_path / "w.mp4", method=Lan(network=str(MASKS)))
    assert not list(tmp_path.iterdir())


def test_learned_masks_in_play_are_filled_with_a_blur(caplog: pytest.LogCaptureFixture) -> None:
    live = LiveAgent(load_agent("pong-ppo"), Play(max_steps=1), Lan(steps=1), CPU)
    assert live.maps.options["fill"] == "blur"
    assert "a game in play has no median yet" in caplog.text
    with pytest.raises(InvalidArgument, match="fill frames is a picture of a whole recording"):
        LiveAgent(load_agent("pong-ppo"), Play(max_steps=1), Lan(fill="frames"), CPU)


def test_the_live_game_and_its_maps_are_those_of_record_and_explain(tmp_path: Path) -> None:
    agent = load_agent("pong-ppo")
    recording = record(
        agent, output=tmp_path / "r", play=Play(seed=3, max_steps=5), compute=Compute(device="cpu")
    )
    method = Perturbation(reference="blur")  # what the default gives way to in a game in play
    compute = Compute(device="cpu", engine="incremental", threads=1)
    maps = explain(recording, method, compute=compute)
    live = LiveAgent(
        agent,
        Play(seed=3, max_steps=5),
        "perturbation",
        Compute(device="cpu", threads=1),
    )
    decisions = list(live.decisions())
    episode = recording.episodes[0]
    assert [d.row.action for d in decisions] == list(episode.actions)
    assert live.end == episode.end == "max_steps"
    for step, decision in enumerate(decisions):
        seen = pooled(episode.screens[step], episode.screens_before[step], "grey")
        assert np.array_equal(decision.screen, seen)
        assert np.array_equal(decision.maps, maps.values[step])
        assert decision.explained == maps.explained_actions[step]
    assert live.maps.difference(maps.header) in ("targets", "recording_digests")
    assert all(target.noise_floor > 0 for target in live.maps.targets)


class Listener:
    """A reporter that keeps what it is told, and may do something at a count."""

    def __init__(self, at: int = 0, act: Callable[[], None] = lambda: None) -> None:
        self.lines: list[str] = []
        self.counts: list[tuple[int, int]] = []
        self._at, self._act = at, act

    @contextmanager
    def stage(self, name: str, unit: str) -> Iterator[Progress]:
        yield self._count

    def say(self, line: str) -> None:
        self.lines.append(line)

    def _count(self, done: int, total: int) -> None:
        self.counts.append((done, total))
        if done == self._at:
            self._act()


def test_a_short_watch_of_the_shipped_agent_writes_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_films, "WARM_UP", 3)
    listener = Listener()
    watched = watch(
        "pong-ppo",
        tmp_path / "live.mp4",
        play=Play(max_steps=6),
        draw=SMALL,
        compute=CPU,
        reporter=listener,
    )
    frames, seconds = count_frames(watched.path)
    assert (frames, watched.steps, watched.end) == (6, 6, "max_steps")
    assert seconds == pytest.approx(6 * 4 / 60)
    assert watched.real_time == 15.0
    assert listener.counts == [(i, 6) for i in range(1, 7)]
    (line,) = listener.lines
    assert re.fullmatch(rf"growing: {tmp_path}/\.live\.[0-9a-f]{{6}}\.partial\.mp4", line)
    assert watched.rate > 0
    assert set(watched.stages) == {"play", "explain", "draw", "encode"}
    assert watched_lines(watched)[0].startswith("6 decisions in ")
    assert [path.name for path in tmp_path.iterdir()] == ["live.mp4"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_finished_file(tmp_path: Path, number: signal.Signals) -> None:
    watched = watch(
        tiny_agent(tmp_path / "agent", state_size=3),
        tmp_path / "x.mp4",
        method=COARSE,
        draw=SMALL,
        compute=CPU,
        reporter=Listener(4, lambda: signal.raise_signal(number)),
    )
    assert watched.end == number.name
    assert watched.steps == 4
    assert count_frames(tmp_path / "x.mp4")[0] == 4


def test_the_previous_frame_can_be_a_reference_and_a_rate_be_given(tmp_path: Path) -> None:
    watched = watch(
        tiny_agent(tmp_path / "agent"),
        tmp_path / "x.mp4",
        play=Play(max_steps=5),
        compute=CPU,
        method=Perturbation(stride=21, reference="previous"),
        draw=Draw(scale=1, fps=10.0),
    )
    assert count_frames(watched.path) == (5, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("method", "play", "words"),
    [
        (Perturbation(reference="mean"), {}, "mean is a picture of a whole recording"),
        (Perturbation(), {"max_steps": -1}, "max_steps -1"),
        (Memory(last=3), {}, "goes back 2 steps"),
    ],
)
def test_what_cannot_be_watched_is_refused_before_a_file_is_made(
    tmp_path: Path, method: SaliencyMethod, play: dict[str, int], words: str
) -> None:
    agent = tiny_agent(tmp_path / "agent")
    with pytest.raises(InvalidArgument, match=words):
        watch(agent, tmp_path / "x.mp4", play=Play(**play), method=method, compute=CPU)
    assert not list(tmp_path.glob("*x.*"))


def test_a_file_that_is_there_is_refused(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "agent")
    path = tmp_path / "x.mp4"
    path.write_bytes(b"kept")
    with pytest.raises(AlreadyExists):
        watch(agent, path, play=Play(max_steps=2), compute=CPU)
    assert path.read_bytes() == b"kept"


def test_a_failure_to_draw_ends_the_game_and_leaves_nothing_half(
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
            method=COARSE,
            draw=SMALL,
            play=Play(max_steps=200),
            compute=CPU,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["agent"]
