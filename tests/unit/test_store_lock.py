"""One writer a folder: the first wins, the others name it, the dead do not count."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentlens.errors import Locked
from agentlens.store.lock import FolderLock
from agentlens.store.recording import RecordingWriter, open_recording
from tests.store_samples import header

REPOSITORY = Path(__file__).resolve().parents[2]
HOLD = """
import sys, time
from pathlib import Path
from agentlens.errors import Locked
from agentlens.store.lock import FolderLock
try:
    lock = FolderLock(Path(sys.argv[1]))
except Locked as error:
    print("refused:", error, flush=True)
else:
    print("won", flush=True)
    sys.stdin.read()
    lock.release()
"""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True)


def forge(folder: Path, **owner: object) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    usual = {"pid": 1, "host": platform.node(), "boot": boot, "process_start": 3, "since": "then"}
    (folder / ".lock").write_text(json.dumps(usual | owner))


def test_of_eight_writers_one_wins_and_the_others_name_it(tmp_path: Path) -> None:
    children = [start(tmp_path) for _ in range(8)]
    lines = [child.stdout.readline() for child in children if child.stdout]
    won = [child.pid for child, line in zip(children, lines, strict=True) if line.startswith("won")]
    for child in children:
        child.communicate()
    assert len(won) == 1
    refused = [line for line in lines if line.startswith("refused")]
    assert len(refused) == 7
    assert sum(f"by process {won[0]} on {platform.node()} since 2" in line for line in refused) >= 6
    assert list(tmp_path.iterdir()) == []


def test_a_killed_owner_is_followed_at_once(tmp_path: Path) -> None:
    child = start(tmp_path)
    assert child.stdout
    assert child.stdout.readline() == "won\n"
    with pytest.raises(Locked, match=f"process {child.pid} "):
        FolderLock(tmp_path)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert (tmp_path / ".lock").exists()
    FolderLock(tmp_path).release()
    assert not (tmp_path / ".lock").exists()


@pytest.mark.parametrize(
    "owner",
    [{"pid": 2**22 + 1}, {"pid": os.getppid()}, {"boot": "before the power went"}, {"pid": "x"}],
)
def test_forged_locks_of_this_machine_are_taken_over(
    tmp_path: Path, owner: dict[str, object]
) -> None:
    forge(tmp_path, **owner)
    with RecordingWriter(tmp_path, header()) as writer:
        said = json.loads((tmp_path / ".lock").read_text())
        assert said["pid"] == os.getpid()
        assert writer.finished_episodes == ()
    assert open_recording(tmp_path).episodes == ()


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "[" * 4000, "\0" * 90, "null"])
def test_lock_files_that_say_nothing_are_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lock").write_text(text)
    FolderLock(tmp_path).release()


def test_another_machine_is_believed(tmp_path: Path) -> None:
    forge(tmp_path, host="elsewhere", boot="another", pid=4242)
    with pytest.raises(Locked, match=r"process 4242 on elsewhere since then; .* delete .*\.lock"):
        FolderLock(tmp_path)
    assert "4242" in (tmp_path / ".lock").read_text()


def test_two_writers_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    with (
        RecordingWriter(tmp_path, header()),
        pytest.raises(Locked, match=f"process {os.getpid()} "),
    ):
        RecordingWriter(tmp_path, header(), resume=True)
    started = time.monotonic()
    RecordingWriter(tmp_path, header(), resume=True).close()
    assert time.monotonic() - started < 30
