"""Processes that share the stages of a workflow: order, progress, and what stops them."""

from __future__ import annotations

import os
import time

import pytest

from agentlens.errors import Corrupt
from agentlens.progress import Progress
from agentlens.workflows.workers import Workers


def counted(progress: Progress, number: int, pause_s: float) -> tuple[int, int, str]:
    """Takes a while, and says who did it and on how many threads."""
    for step in range(number):
        progress(step + 1, number)
    time.sleep(pause_s)
    return number, os.getpid(), os.environ["OMP_NUM_THREADS"]


def failing(progress: Progress, number: int) -> None:
    """The first part fails; the others would go on for minutes."""
    if number == 0:
        raise Corrupt("the first part is broken")
    for step in range(10_000):
        progress(step, 0)
        time.sleep(0.02)


def test_results_come_in_the_order_of_the_parts_and_progress_is_that_of_all() -> None:
    told: list[tuple[int, int]] = []
    with Workers(2) as workers:
        parts = [(3, 0.3), (4, 0.0), (5, 0.0)]
        first = workers.results(counted, parts, lambda *args: told.append(args), 12)
        again = workers.results(counted, [(2, 0.0)], lambda *args: told.append(args), 2)
    assert [number for number, *_ in first + again] == [3, 4, 5, 2]
    assert {threads for *_, threads in first} == {"1"}
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
