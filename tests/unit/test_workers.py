"""Processes that share the stages of a workflow: order, progress, and what stops them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from agentlens.errors import Corrupt, DeviceError
from agentlens.progress import Progress
from agentlens.workflows.workers import Workers


def counted(progress: Progress, number: int, pause_s: float) -> tuple[int, int, int]:
    """Takes a while, and says who did it and on how many threads."""
    for step in range(number):
        progress(step + 1, number)
    time.sleep(pause_s)
    return number, os.getpid(), torch.get_num_threads()


def failing(progress: Progress, number: int) -> None:
    """The first part fails; the others would go on for minutes."""
    if number == 0:
        raise Corrupt("the first part is broken")
    for step in range(10_000):
        progress(step, 0)
        time.sleep(0.02)


def dying(progress: Progress, number: int) -> None:
    """As if the system had killed it."""
    os._exit(9)


def test_results_come_in_the_order_of_the_parts_and_progress_is_that_of_all() -> None:
    told: list[tuple[int, int]] = []
    with Workers(2) as workers:
        parts = [(3, 0.3), (4, 0.0), (5, 0.0)]
        first = workers.results(counted, parts, lambda *args: told.append(args), 12)
        again = workers.results(counted, [(2, 0.0)], lambda *args: told.append(args), 2)
    assert [number for number, *_ in first + again] == [3, 4, 5, 2]
    assert {threads for *_, threads in first} == {1}
    assert os.getpid() not in {pid for _, pid, _ in first}
    assert {pid for _, pid, _ in again} <= {pid for _, pid, _ in first}, "processes stay"
    assert told[0] == (0, 12)
    assert (12, 12) in told
    assert told[-1] == (2, 2)


def test_an_error_of_one_part_is_raised_as_it_is_and_stops_the_others() -> None:
    began = time.monotonic()
    with pytest.raises(Corrupt, match="the first part is broken"), Workers(2) as workers:
        workers.results(failing, [(0,), (1,)], lambda *_: None)
    assert time.monotonic() - began < 60


def test_a_process_that_dies_is_told_of() -> None:
    with pytest.raises(DeviceError, match="ended before its work"), Workers(2) as workers:
        workers.results(dying, [(0,), (1,)], lambda *_: None)


SCRIPT = """
from tests.unit.test_workers import counted
from agentlens.workflows.processes import in_processes
from agentlens.workflows.workers import Workers

print("script", __name__, __file__ is not None)
with Workers(2) as workers:
    parts = workers.results(counted, [(1, 0.0), (2, 0.0)], lambda *_: None)
    print("done", [number for number, *_ in parts])
print("made", sorted(in_processes(iter, [[1], [2]])))
"""


def test_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).parents[2]
    told = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == ["script __main__ True", "done [1, 2]", "made [1, 2]"]


def test_nothing_that_reads_its_threads_once_is_loaded_before_they_are_set() -> None:
    """What a process loads to begin with."""
    code = "import sys, agentlens.workflows.workers; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
