"""Full, read-only and failing disks: the file is named, what was finished before is intact."""

from __future__ import annotations

import dataclasses
import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agentlens.errors import DiskError, InvalidArgument
from agentlens.store import atomic
from agentlens.store.atomic import require_space, write_file
from agentlens.store.layout import read_recording_json, write_recording_json
from agentlens.store.maps import MapWriter, open_maps
from agentlens.store.recording import RecordingWriter, open_recording
from tests.store_samples import COLOURS, MAPS, SCREEN, append_rows, header, map_values, record, row

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_file_size_limit_leaves_verified_episodes(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (40,))
    before = (folder / "episodes/00000.arrow").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = RecordingWriter(folder, header(episodes=2), resume=True)
    episode = writer.episode(1, seed=0, seed_words=())
    append_rows(episode, 64, 1, noise=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2 + 40_000, hard))
    try:
        with pytest.raises(DiskError, match=r"00001\.arrow\.part: cannot write: File too large"):
            append_rows(episode, 600, 1, noise=True)
        with pytest.raises(InvalidArgument, match="episode 1 is closed"):
            episode.append(row(0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.close()
    recording = open_recording(folder)
    recording.check()
    first, second = recording.episodes
    assert (folder / "episodes/00000.arrow").read_bytes() == before
    assert first.complete
    assert len(second) >= 32
    assert np.array_equal(second.screens[0], COLOURS[row(0, 1, noise=True).screen])


def test_maps_on_a_full_disk_resume_where_they_stopped(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    steps = np.arange(0, 10)
    writer = MapWriter(tmp_path / "x", MAPS)
    writer.append(0, steps, steps, map_values(steps))
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, hard))
    try:
        with pytest.raises(DiskError, match=r"values\.f32: cannot write: File too large"):
            writer.append(0, steps + 10, steps, map_values(steps + 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(DiskError, match=r"values\.f32"):
        writer.append(0, steps + 10, steps, map_values(steps + 10))
    writer.close()
    assert np.array_equal(open_maps(tmp_path / "x").values, map_values(steps))
    with MapWriter(tmp_path / "x", MAPS) as writer:
        writer.append(0, steps + 10, steps, map_values(steps + 10))
    assert np.array_equal(open_maps(tmp_path / "x").values, map_values(np.arange(20)))


TINY = """
import sys
from pathlib import Path
from agentlens.errors import DiskError
from agentlens.store.recording import RecordingWriter, open_recording
from tests.store_samples import SCREEN, append_rows, header, row
folder = Path(sys.argv[1]) / "r"
try:
    with RecordingWriter(folder, header(episodes=50, max_steps=1)) as writer:
        for index in range(50):
            episode = writer.episode(index, seed=0, seed_words=())
            append_rows(episode, 100, index, noise=True)
            episode.finish(last_screen=row(0).screen, end="terminated")
except DiskError as error:
    print(error)
recording = open_recording(folder)
recording.check()
print(sum(e.complete for e in recording.episodes), [len(e) for e in recording.episodes][0])
try:
    RecordingWriter(Path(sys.argv[1]) / "s", header(max_steps=10**6))
except DiskError as error:
    print(error)
"""
READ_ONLY = """
import sys
from pathlib import Path
from agentlens.errors import DiskError
from agentlens.store.maps import MapWriter
from agentlens.store.recording import RecordingWriter
from tests.store_samples import MAPS, header
for write in (
    lambda: RecordingWriter(Path(sys.argv[1]) / "new", header()),
    lambda: RecordingWriter(Path(sys.argv[1]), header()),
    lambda: MapWriter(Path(sys.argv[1]), MAPS),
):
    try:
        write()
    except DiskError as error:
        print(error)
"""


def in_small_world(folder: Path, options: str, script: str) -> list[str]:
    """Run a script with a tmpfs of its own mounted on ``folder``; skips where that is not
    allowed."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare here, so no file system of our own")
    mount = f"mount -t tmpfs -o {options} none {folder}"
    probe = subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no file system of our own: {probe.stderr.strip()}")
    command = f'{mount} && exec {sys.executable} -c "$SCRIPT" {folder}'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "SCRIPT": script},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_file_system_keeps_finished_episodes(tmp_path: Path) -> None:
    full, kept, refused = in_small_world(tmp_path, "size=700k", TINY)
    assert "cannot write: No space left on device; free some space" in full
    count, steps = map(int, kept.split())
    assert count >= 3
    assert steps == 100
    assert "about 600.0 MB are needed and 0.0 MB are free" in refused


def test_a_read_only_file_system_is_explained(tmp_path: Path) -> None:
    lines = in_small_world(tmp_path, "ro", READ_ONLY)
    assert len(lines) == 3
    assert all("Read-only file system; choose a folder" in line for line in lines)


def test_what_does_not_fit_leaves_no_empty_folder(tmp_path: Path) -> None:
    endless = header(episodes=10**6, max_steps=10**6)
    with pytest.raises(DiskError, match="are needed"):
        RecordingWriter(tmp_path / "new" / "recording", endless)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "there").mkdir()
    with pytest.raises(DiskError, match="are needed"):
        RecordingWriter(tmp_path / "there" / "recording", endless)
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_what_does_not_fit_replaces_nothing(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (40,))
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(DiskError, match="are needed"):
        RecordingWriter(folder, header(episodes=10**6, max_steps=10**6), force=True)
    assert sorted(path.name for path in folder.rglob("*")) == before
    open_recording(folder).check()


def test_a_folder_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, words in (
        (tmp_path / "file" / "r", "Not a directory"),
        (tmp_path / ("x" * 300), "File name too long; choose a shorter name"),
    ):
        with pytest.raises(DiskError, match=words):
            RecordingWriter(folder, header())
    with pytest.raises(DiskError, match="are needed"):
        require_space(tmp_path, 10**18)


def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def kind(descriptor: int) -> str:
        return "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"

    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda d: (calls.append(f"sync {kind(d)}"), real_sync(d))[1])
    monkeypatch.setattr(
        os,
        "replace",
        lambda a, b: (calls.append(f"rename {Path(b).name}"), real_replace(a, b))[1],
    )
    write_file(tmp_path / "x", b"1")
    assert calls == ["sync file", "rename x", "sync folder"]
    with RecordingWriter(tmp_path / "r", header()) as writer:
        episode = writer.episode(0, seed=0, seed_words=())
        append_rows(episode, 3)
        calls.clear()
        episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="stuck")
    assert calls[-7:] == [
        "sync file",
        "sync file",
        "rename 00000.arrow",
        "sync folder",
        "sync file",
        "rename recording.json",
        "sync folder",
    ]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failing_replacement_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "x"
    write_file(path, b"old")

    def fail(descriptor: int, data: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "write", fail)
    with pytest.raises(DiskError, match=f"x: cannot write: {os.strerror(number)}; "):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["ü 漢字 🎮", "a\nb\tc", "\u202eevil", "-rf", "'; drop", 'quo"te', "x" * 200, "é" * 100]
)
def test_any_name_works(tmp_path: Path, name: str) -> None:
    with RecordingWriter(tmp_path / name, header(episodes=1)) as writer:
        episode = writer.episode(0, seed=5, seed_words=())
        append_rows(episode, 33)
        episode.finish(last_screen=np.zeros(SCREEN, np.uint8), end="terminated")
        writer.complete()
    recording = open_recording(tmp_path / name)
    recording.check()
    assert recording.episodes[0].seed == 5
    with MapWriter(tmp_path / name / "maps" / name, MAPS) as maps:
        maps.append(0, np.arange(2), np.arange(2), map_values(np.arange(2)))
    assert len(open_maps(tmp_path / name / "maps" / name).steps) == 2


def test_a_thousand_episodes_open_without_touching_their_files(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (2,))
    document = read_recording_json(folder)
    entries = tuple(dataclasses.replace(document.entries[0], index=i) for i in range(1000))
    write_recording_json(folder, dataclasses.replace(document, entries=entries))
    shutil.rmtree(folder / "episodes")
    recording = open_recording(folder)
    assert sum(len(episode) for episode in recording.episodes) == 2000
    assert sum(episode.raw_return for episode in recording.episodes) == -3000
    assert recording.distinct_episodes == 1
    assert (folder / "recording.json").stat().st_size < 10**6
