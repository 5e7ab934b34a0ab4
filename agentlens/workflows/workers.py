"""Processes that stay for all stages of a workflow, so that each loads its libraries once."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.sharedctypes import Synchronized
from types import TracebackType
from typing import Concatenate, TypeVar

from agentlens.errors import DeviceError
from agentlens.progress import Progress
from agentlens.workflows.processes import starting

Result = TypeVar("Result")

REPORT_EVERY_S = 0.2
_STOP = -1
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Workers:
    """Some processes, each of which computes on one thread.

    Leaving the block ends them; where an error leaves it, their work stops at its next report.
    """

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._done = context.Value("q", 0)
        self._pool = concurrent.futures.ProcessPoolExecutor(
            count, mp_context=context, initializer=_begin, initargs=(self._done,)
        )

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._done.value = _STOP
        self._pool.shutdown(wait=True, cancel_futures=True)

    def results(
        self,
        run: Callable[Concatenate[Progress, ...], Result],
        parts: Sequence[tuple[object, ...]],
        progress: Progress,
        total: int = 0,
    ) -> list[Result]:
        """Do every part of a stage, as many at a time as there are processes.

        Args:
            run: called in a process with a progress and a part's arguments, which travel as
                ``pickle`` can.
            parts: the arguments of each.
            progress: told how much all parts have done together.
            total: how much there is in all; 0 where nobody knows.

        Returns:
            What each part gave, in the order of the parts.

        Raises:
            AgentlensError: as ``run`` in one of the processes.
            DeviceError: a process died.
        """
        self._done.value = 0
        progress(0, total)
        with starting():
            futures = [self._pool.submit(_counted, run, part) for part in parts]
        waiting: set[concurrent.futures.Future[Result]] = set(futures)
        while waiting:
            finished, waiting = concurrent.futures.wait(waiting, REPORT_EVERY_S)
            for future in finished:
                _check(future)
            progress(self._done.value, total)
        return [future.result() for future in futures]


def _check(future: concurrent.futures.Future[Result]) -> None:
    """Raise what a part raised."""
    try:
        future.result()
    except BrokenProcessPool:
        raise DeviceError(
            "one of the processes ended before its work was finished; fewer (--threads) need less "
            "memory."
        ) from None


_shared: list[Synchronized[int]] = []
"""In a process: the count that it shares with the others."""


def _begin(done: Synchronized[int]) -> None:
    """Prepare a process, before it loads numpy and PyTorch, which read their threads but once.

    Ctrl-C is left to the process that started it, which says how to stop.
    """
    _shared[:] = [done]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(dict.fromkeys(_THREADS, "1"))


def _counted(run: Callable[Concatenate[Progress, ...], Result], part: tuple[object, ...]) -> Result:
    """One part, whose progress is added to the shared count."""
    return run(_Counter(), *part)


class _Counter:
    """Adds what one part has done to the shared count; stops the part where all is to stop."""

    def __init__(self) -> None:
        (self._shared,) = _shared
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        with self._shared.get_lock():
            if self._shared.value == _STOP:
                raise KeyboardInterrupt
            self._shared.value += done - self._told
        self._told = done
