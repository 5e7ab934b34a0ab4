"""Kills, cuts, flipped bits and readers beside a writer: a verified prefix, never a wrong step."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from agentlens.errors import Corrupt, DiskError, StoreError
from agentlens.store import episode_file
from agentlens.store.episode_file import EpisodeFile
from agentlens.store.layout import read_recording_json
from agentlens.store.maps import MapWriter, open_maps
from agentlens.store.recording import Episode, Recording, RecordingWriter, open_recording
from agentlens.store.schema import BATCH_STEPS
from tests.store_crash import EPISODE_STEPS, read_count
from tests.store_samples import COLOURS, MAPS, append_rows, header, map_values, record, row

REPOSITORY = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("AGENTLENS_KILLS", "24"))
"""Writers to kill; 200 and more before a release."""


def assert_prefix(episode: Episode, number: int | None = None) -> None:
    """Every step that the episode shows is the one that was recorded."""
    number = episode.index if number is None else number
    rows = [row(step, number) for step in range(len(episode))]
    if not rows:
        return
    assert np.array_equal(episode.actions, [r.action for r in rows])
    assert np.array_equal(episode.ram, np.array([r.ram for r in rows]))
    assert np.array_equal(episode.screens[-1], COLOURS[rows[-1].screen])
    assert np.array_equal(episode.planes[:], np.array([r.plane for r in rows]))


def crash(kind: str, folder: Path) -> list[int]:
    """Kill so many writers; returns how many steps each had been told were appended."""
    command = [sys.executable, "-m", "tests.store_crash", kind, str(folder), str(KILLS)]
    subprocess.run(command, cwd=REPOSITORY, check=True, timeout=900)
    return [read_count(folder / f"{trial}.count") for trial in range(KILLS)]


def test_a_killed_recorder_loses_one_batch_at_most(tmp_path: Path) -> None:
    counts = crash("recording", tmp_path)
    assert sum(count > BATCH_STEPS for count in counts) > KILLS // 2
    for trial, appended in enumerate(counts):
        folder = tmp_path / str(trial)
        if not appended and not (folder / "recording.json").exists():
            continue
        recording = open_recording(folder)
        found = sum(len(episode) for episode in recording.episodes)
        assert appended - BATCH_STEPS <= found <= appended + 1
        for episode in recording.episodes:
            assert len(episode) == EPISODE_STEPS or not episode.complete
            assert_prefix(episode)
        recording.check()
        with RecordingWriter(folder, header(episodes=1000, max_steps=1), resume=True) as writer:
            finished = writer.finished_episodes
        assert finished == tuple(range(len(finished)))
        assert len(finished) >= appended // EPISODE_STEPS - 1


def test_a_killed_explainer_resumes_to_the_maps_of_an_uninterrupted_one(
    tmp_path: Path,
) -> None:
    counts = crash("maps", tmp_path)
    for trial, appended in enumerate(counts):
        folder = tmp_path / str(trial)
        with MapWriter(folder, MAPS) as writer:
            done = sorted(step for _, step in writer.done)
            assert done == list(range(len(done)))
            assert appended <= len(done) <= appended + 4
            steps = np.arange(len(done), len(done) + 5)
            writer.append(0, steps, steps, map_values(steps))
        maps = open_maps(folder)
        assert np.array_equal(maps.values, map_values(np.arange(len(done) + 5)))


def test_an_unfinished_file_cut_anywhere_shows_whole_batches(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with RecordingWriter(folder, header()) as writer:
        append_rows(writer.episode(0, seed=0, seed_words=()), 110)
    for name in ("00000.arrow.part", "00000.chain"):
        path = folder / "episodes" / name
        data = path.read_bytes()
        lengths = set()
        for cut in {0, 1, len(data) - 1, *np.random.default_rng(0).integers(0, len(data), 40)}:
            path.write_bytes(data[: int(cut)])
            episode = open_recording(folder).episodes[0]
            assert len(episode) in (0, 32, 64, 96)
            assert_prefix(episode)
            lengths.add(len(episode))
        assert {0, 32, 64, 96} >= lengths >= {0, 96}
        path.write_bytes(data)
    assert len(open_recording(folder).episodes[0]) == 110


def test_a_finished_file_that_was_cut_or_padded_is_an_error(tmp_path: Path) -> None:
    folder = record(tmp_path / "r")
    path = folder / "episodes/00000.arrow"
    data = path.read_bytes()
    for altered in (b"", data[:9], data[: len(data) // 2], data[:-1], data + b"x"):
        path.write_bytes(altered)
        episode = open_recording(folder).episodes[0]
        with pytest.raises(Corrupt, match=rf"00000.arrow: {len(altered)} bytes long"):
            _ = episode.actions
    path.unlink()
    with pytest.raises(Corrupt, match="file is missing"):
        open_recording(folder).check()


def test_every_flipped_bit_is_found_and_its_batch_named(tmp_path: Path) -> None:
    agent = tmp_path / "agent.toml"
    agent.write_text("[agent]\n")
    folder = tmp_path / "r"
    with RecordingWriter(folder, header(), agent_files=[agent]) as writer:
        for index in (0, 1):
            episode = writer.episode(index, seed=0, seed_words=())
            append_rows(episode, 70, index)
            if index == 0:
                episode.finish(last_screen=row(0).screen, end="terminated")
    rng = np.random.default_rng(0)
    batch_named = 0
    for name in ("recording.json", "episodes/00000.arrow", "agent/agent.toml"):
        path = folder / name
        data = path.read_bytes()
        for bit in rng.integers(0, len(data) * 8, 60):
            altered = bytearray(data)
            altered[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(altered)
            with pytest.raises(StoreError) as caught:
                open_recording(folder).check()
            batch_named += "the first bad batch is number" in str(caught.value)
        path.write_bytes(data)
    assert batch_named > 30
    path = folder / "episodes/00001.arrow.part"
    data = path.read_bytes()
    for bit in rng.integers(0, len(data) * 8, 60):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(altered)
        episode = open_recording(folder).episodes[1]
        assert len(episode) in (0, 32, 64)
        assert_prefix(episode)


def test_the_named_batch_is_the_altered_one(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (100,))
    path = folder / "episodes/00000.arrow"
    ends = [
        int(line.split(b'"end": ')[1].split(b"}")[0])
        for line in (folder / "episodes/00000.chain").read_bytes().splitlines()
    ]
    data = path.read_bytes()
    for number, (end, words) in enumerate(
        zip(
            ends,
            ("steps 0 to 31", "steps 32 to 63", "steps 64 to 95", "steps 96 to 99", "all steps"),
            strict=True,
        )
    ):
        altered = bytearray(data)
        altered[end - 2] ^= 64
        path.write_bytes(altered)
        with pytest.raises(Corrupt, match=words):
            open_recording(folder).episodes[0].check()
        assert number < len(ends)


def test_a_reader_beside_a_writer_sees_whole_batches_only(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    stop = threading.Event()
    problems: list[str] = []
    seen: list[int] = []

    def read() -> None:
        while not stop.is_set():
            try:
                for episode in open_recording(folder).episodes:
                    if not episode.complete and len(episode) % BATCH_STEPS not in (
                        0,
                        50 % BATCH_STEPS,
                    ):
                        problems.append(f"{len(episode)} steps")
                    assert_prefix(episode)
                    seen.append(len(episode))
            except (StoreError, AssertionError) as error:
                problems.append(repr(error))

    with RecordingWriter(folder, header(episodes=12, max_steps=50)) as writer:
        reader = threading.Thread(target=read)
        reader.start()
        for index in range(12):
            episode = writer.episode(index, seed=0, seed_words=())
            append_rows(episode, 50, index)
            episode.finish(last_screen=row(0).screen, end="terminated")
        stop.set()
        reader.join()
    assert problems == []
    assert len(seen) > 5


def test_a_snapshot_survives_the_end_of_its_writer(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with RecordingWriter(folder, header()) as writer:
        episode = writer.episode(0, seed=0, seed_words=())
        append_rows(episode, 40)
        snapshot = open_recording(folder).episodes[0]
        episode.finish(last_screen=row(0).screen, end="terminated")
    assert len(snapshot) == 32
    assert_prefix(snapshot)
    shutil.rmtree(folder / "episodes")
    with pytest.raises(StoreError, match=r"00000\.arrow"):
        _ = snapshot.rewards


def test_colours_learned_while_a_recording_is_opened_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    with RecordingWriter(folder, header(episodes=1)) as writer:
        read_first = read_recording_json(folder)
        append_rows(writer.episode(0, seed=0, seed_words=()), BATCH_STEPS)
        (episode,) = Recording(folder, read_first).episodes
        assert len(episode) == BATCH_STEPS
        assert_prefix(episode)


def test_a_file_that_is_finished_before_it_is_opened_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look finds the unfinished name; by the time it is opened, the file has its own."""
    folder = tmp_path / "r"
    with RecordingWriter(folder, header(episodes=1)) as writer:
        append_rows(writer.episode(0, seed=0, seed_words=()), BATCH_STEPS)
        for when in ("scanned", "read"):
            part = folder / "episodes" / "00000.arrow.part"
            final = folder / "episodes" / "00000.arrow"
            if when == "read":
                (episode,) = open_recording(folder).episodes
            looks = iter([part, final])
            with monkeypatch.context() as patched:
                patched.setattr(
                    EpisodeFile,
                    "path",
                    property(lambda _, looks=looks, final=final: next(looks, final)),
                )
                part.rename(final)
                if when == "scanned":
                    patched.setattr(episode_file, "read_chain", late(episode_file.read_chain))
                    (episode,) = open_recording(folder).episodes
                assert_prefix(episode)
                assert len(episode) == BATCH_STEPS
            final.rename(part)


def late(read_chain):
    """``read_chain`` as if the file had been renamed after it was looked for."""

    def wrapped(data_path: Path, chain_path: Path):
        if not data_path.exists():
            raise DiskError(f"{data_path}: cannot read: No such file or directory.")
        return read_chain(data_path, chain_path)

    return wrapped
