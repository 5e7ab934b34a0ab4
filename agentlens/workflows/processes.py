"""Work in several processes: the emulator keeps Python's threads waiting."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Sequence
from typing import TypeVar

from agentlens.progress import Progress

Row = TypeVar("Row")


def in_processes(
    run: Callable[[Sequence[int]], list[Row]],
    parts: Sequence[Sequence[int]],
    progress: Progress,
) -> list[Row]:
    """Run every part in a process of its own.

    Args:
        run: makes the rows of some numbers; it travels to the processes, as ``pickle`` can.
        parts: numbers, a process each.
        progress: called with numbers finished and in all.

    Returns:
        The rows, parts in the order in which they finished.
    """
    context = multiprocessing.get_context("spawn")
    total, done = sum(map(len, parts)), 0
    rows: list[Row] = []
    with concurrent.futures.ProcessPoolExecutor(len(parts), mp_context=context) as pool:
        futures = {pool.submit(run, tuple(chunk)): len(chunk) for chunk in parts}
        for future in concurrent.futures.as_completed(futures):
            rows += future.result()
            done += futures[future]
            progress(done, total)
    return rows
