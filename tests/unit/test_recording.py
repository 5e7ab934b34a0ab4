"""What the recorder writes is what everybody reads, whole and sliced, finished or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas
import pytest

from agentlens.arrays import stack_planes
from agentlens.errors import (
    AlreadyExists,
    Corrupt,
    DtypeError,
    InvalidArgument,
    NotFinite,
    ShapeError,
)
from agentlens.mapping import encode
from agentlens.store.recording import RecordingWriter, open_recording
from tests.store_samples import COLOURS, SCREEN, append_rows, header, record, row


def test_every_column_comes_back(tmp_path: Path) -> None:
    recording = open_recording(record(tmp_path / "r"))
    assert recording.complete
    assert encode(recording.header) == encode(header())
    assert np.array_equal(recording.palette, COLOURS)
    assert [len(episode) for episode in recording.episodes] == [70, 33]
    for index, episode in enumerate(recording.episodes):
        rows = [row(step, index) for step in range(len(episode))]
        assert (episode.index, episode.seed, episode.end) == (index, index + 7, "terminated")
        assert episode.seed_words == (index, 2**32 - 1)
        assert episode.complete
        assert episode.raw_return == sum(r.reward for r in rows)
        assert np.array_equal(episode.last_screen, COLOURS[np.full(SCREEN, index)])
        for name, field, dtype in (
            ("rewards", "reward", "float32"),
            ("clipped_rewards", "clipped_reward", "float32"),
            ("actions", "action", "int64"),
            ("lives", "lives", "int64"),
            ("emulator_frames", "emulator_frame", "int64"),
            ("frames_advanced", "frames_advanced", "int64"),
            ("terminated", "terminated", "bool"),
            ("truncated", "truncated", "bool"),
            ("stack_resets", "stack_reset", "bool"),
            ("state_resets", "state_reset", "bool"),
            ("logits", "logits", "float32"),
            ("values", "value", "float32"),
            ("states", "state", "float32"),
            ("ram", "ram", "uint8"),
        ):
            found = getattr(episode, name)
            assert found.dtype == dtype, name
            assert found.flags.writeable, name
            assert np.array_equal(found, np.array([getattr(r, field) for r in rows])), name
        assert episode.q_values is None
        assert np.array_equal(episode.steps, np.arange(len(rows)))
        assert all(np.array_equal(a, r.forced) for a, r in zip(episode.forced, rows, strict=True))
        assert np.array_equal(episode.screens.indices[:], np.array([r.screen for r in rows]))
        assert np.array_equal(episode.screens[:], COLOURS[np.array([r.screen for r in rows])])
        assert np.array_equal(episode.screens_before[-1], COLOURS[rows[-1].screen_before])
        assert np.array_equal(episode.planes[:], np.array([r.plane for r in rows]))
    recording.check()


@pytest.mark.parametrize("fill", ["zeros", "repeat"])
def test_observations_are_what_the_network_saw_wherever_a_slice_begins(
    tmp_path: Path, fill: str
) -> None:
    with RecordingWriter(tmp_path / "r", header(stack=4, fill=fill)) as writer:
        append_rows(writer.episode(0, seed=0, seed_words=()), 70)
    episode = open_recording(tmp_path / "r").episodes[0]
    rows = [row(step) for step in range(70)]
    planes = np.array([r.plane for r in rows])
    resets = np.array([r.stack_reset for r in rows])
    expected = stack_planes(planes, resets, 4, fill).astype(np.float32) / np.float32(255)
    for start, stop in ((0, 70), (1, 2), (31, 33), (39, 43), (41, 42), (64, 70), (5, 5)):
        found = episode.observations[start:stop]
        assert found.dtype == np.float32
        assert np.array_equal(found, expected[start:stop])
        assert np.array_equal(episode[start:stop].observations[:], expected[start:stop])
    assert np.array_equal(episode[30:50][5:].observations[1:3], expected[36:38])
    assert np.array_equal(episode.observations[-1], expected[-1])
    assert np.array_equal(episode[30:50].steps, np.arange(30, 50))
    assert np.array_equal(episode[30:50].actions, episode.actions[30:50])
    assert len(list(episode[3:6].screens)) == 3


def test_an_unfinished_episode_keeps_what_was_flushed(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", header()) as writer:
        append_rows(writer.episode(1, seed=99, seed_words=(5,)), 45, 1)
        append_rows(writer.episode(0, seed=1, seed_words=()), 64)
        seen = open_recording(tmp_path / "r").episodes
        assert [len(episode) for episode in seen] == [64, 32]
    recording = open_recording(tmp_path / "r")
    assert not recording.complete
    first, second = recording.episodes
    assert (len(first), len(second)) == (64, 45)
    assert (second.seed, second.seed_words, second.end, second.complete) == (99, (5,), "", False)
    assert second.last_screen is None
    assert np.array_equal(second.actions, [row(step, 1).action for step in range(45)])
    assert np.array_equal(second.screens[40], COLOURS[row(40, 1).screen])
    assert second.raw_return == sum(row(step, 1).reward for step in range(45))


def interrupted(folder: Path) -> None:
    with RecordingWriter(folder, header()) as writer:
        append_rows(writer.episode(0, seed=0, seed_words=()), 50)
        raise KeyboardInterrupt


def test_an_interrupt_keeps_every_step_and_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "r")
    assert len(open_recording(tmp_path / "r").episodes[0]) == 50
    with RecordingWriter(tmp_path / "r", header(), resume=True) as writer:
        assert writer.finished_episodes == ()


def test_resuming_keeps_finished_episodes_and_records_the_others_again(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with RecordingWriter(folder, header()) as writer:
        for index in (0, 1):
            episode = writer.episode(index, seed=index, seed_words=())
            append_rows(episode, 40, index)
            if index == 0:
                episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="stuck")
        with pytest.raises(InvalidArgument, match="1 of 2 episodes are not finished"):
            writer.complete()
    before = (folder / "episodes/00000.arrow").read_bytes()
    with pytest.raises(AlreadyExists, match="--resume"):
        RecordingWriter(folder, header())
    with pytest.raises(AlreadyExists, match=r"another seed \(7, now 8\)"):
        RecordingWriter(folder, header(seed=8), resume=True)
    with RecordingWriter(folder, header(), resume=True) as writer:
        assert writer.finished_episodes == (0,)
        with pytest.raises(InvalidArgument, match="there already"):
            writer.episode(0, seed=0, seed_words=())
        episode = writer.episode(1, seed=1, seed_words=())
        append_rows(episode, 50, 1)
        episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="terminated")
        writer.complete()
    recording = open_recording(folder)
    assert recording.complete
    assert [len(episode) for episode in recording.episodes] == [40, 50]
    assert (folder / "episodes/00000.arrow").read_bytes() == before
    recording.check()


def test_force_replaces_a_recording_and_nothing_else(tmp_path: Path) -> None:
    folder = record(tmp_path / "r")
    (folder / "notes.txt").write_text("mine")
    with RecordingWriter(folder, header(), force=True) as writer:
        assert writer.finished_episodes == ()
    assert open_recording(folder).episodes == ()
    assert (folder / "notes.txt").read_text() == "mine"
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter").write_text("1")
    with pytest.raises(AlreadyExists, match="not replaced even by force"):
        RecordingWriter(precious, header(), force=True)
    assert [path.name for path in precious.iterdir()] == ["chapter"]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"screen": np.zeros((3, 3), np.uint8)}, ShapeError, r"screen has shape \(3, 3\)"),
        ({"screen": np.zeros(SCREEN, np.int64)}, DtypeError, "screen is int64, expected uint8"),
        ({"plane": np.zeros((7, 5), np.float32)}, DtypeError, "plane is float32, expected uint8"),
        ({"logits": np.zeros(4, np.float32)}, ShapeError, "logits has shape"),
        ({"state": None}, InvalidArgument, "step 1: state is missing, unlike in step 0"),
        ({"action": 3}, InvalidArgument, "action 3: expected an integer from 0 to 2"),
        ({"action": -1}, InvalidArgument, "action -1"),
        ({"action": 1.0}, InvalidArgument, "action 1.0"),
        ({"forced": np.zeros((2, 3), np.int32)}, ShapeError, "forced has shape"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_leave_no_trace(
    tmp_path: Path, change: dict[str, object], error: type[Exception], words: str
) -> None:
    with RecordingWriter(tmp_path / "r", header()) as writer:
        episode = writer.episode(0, seed=0, seed_words=())
        episode.append(row(0))
        with pytest.raises(error, match=words):
            episode.append(dataclasses.replace(row(1), **change))
        episode.append(row(1))
    assert np.array_equal(open_recording(tmp_path / "r").episodes[0].ram[1], row(1).ram)


def test_what_is_not_finite_is_named_with_its_place(tmp_path: Path) -> None:
    bad = np.array([0, np.nan, 0], np.float32)
    with RecordingWriter(tmp_path / "r", header()) as writer:
        episode = writer.episode(0, seed=0, seed_words=())
        append_rows(episode, 63)
        with pytest.raises(
            NotFinite, match=r"logits of steps 32 to 63 holds nan at index \(31, 1\)"
        ):
            episode.append(dataclasses.replace(row(63), logits=bad))
    assert len(open_recording(tmp_path / "r").episodes[0]) == 32


def test_places_out_of_range_are_named(tmp_path: Path) -> None:
    episode = open_recording(record(tmp_path / "r")).episodes[0]
    with pytest.raises(InvalidArgument, match="step 70: expected 0 to 69"):
        episode.screens[70]
    with pytest.raises(InvalidArgument, match="stride 2"):
        episode[::2]
    with pytest.raises(InvalidArgument, match="expected a slice"):
        episode[3]
    assert len(episode[60:100]) == 10
    assert len(episode[50:20]) == 0
    assert episode[50:20].observations[:].shape == (0, 3, 7, 5)
    assert episode[50:20].actions.shape == (0,)


def test_a_colour_that_was_never_learned_is_an_error(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", header()) as writer:
        episode = writer.episode(0, seed=0, seed_words=())
        screen = np.full(SCREEN, row(0).screen[0, 0])
        episode.learn_palette(screen, np.full((*SCREEN, 3), 9, np.uint8))
        both = np.stack([screen[0], screen[0] + 1])
        colours = np.arange(2 * 16 * 3, dtype=np.uint8).reshape(2, 16, 3)
        with pytest.raises(InvalidArgument, match="expected one colour"):
            episode.learn_palette(both, colours)
        for step in range(2):
            episode.append(row(step))
    screens = open_recording(tmp_path / "r").episodes[0].screens
    assert (screens[0] == 9).all()
    with pytest.raises(Corrupt, match=f"palette index {row(1).screen[0, 0]} "):
        screens[1]


def test_distinct_episodes_are_counted_by_content(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "r", header(episodes=3)) as writer:
        for index, content in enumerate((0, 0, 1)):
            episode = writer.episode(index, seed=index, seed_words=())
            append_rows(episode, 40, content)
            episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="truncated")
    assert open_recording(tmp_path / "r").distinct_episodes == 2


def test_an_episode_opens_in_pandas(tmp_path: Path) -> None:
    folder = record(tmp_path / "r")
    table = pandas.read_feather(folder / "episodes/00000.arrow")
    assert len(table) == 70
    assert table.reward.sum() == sum(row(step).reward for step in range(70))
    assert np.array_equal(table.screen[3].reshape(SCREEN), row(3).screen)


def test_the_identity_tells_recordings_apart_and_their_making_does_not() -> None:
    base = header(episodes=2)
    described = dataclasses.replace(base.agent, licence="another", source="told otherwise")
    again = dataclasses.replace(
        base, agent=described, episodes_wanted=9, provenance={"created": "later"}
    )
    assert again.identity == base.identity
    assert len(base.identity) == 64
    agent = dataclasses.replace(base.agent, sha256="0" * 64)
    others = [
        dataclasses.replace(base, seed=base.seed + 1),
        dataclasses.replace(base, agent=agent),
        dataclasses.replace(base, max_steps=7),
        dataclasses.replace(base, provenance={"stuck_after": 5}),
        dataclasses.replace(base, player="x", provenance={"revisits": "a"}),
        dataclasses.replace(base, player="x", provenance={"revisits": "b"}),
    ]
    assert len({base.identity, *(other.identity for other in others)}) == 1 + len(others)
