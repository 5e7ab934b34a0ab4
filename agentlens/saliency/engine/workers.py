"""Worker threads over independent pieces of work, one torch thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

import torch

Workspace = TypeVar("Workspace")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run with one thread inside each torch operation, then restore what was set.

    ``torch.set_num_threads`` belongs to the process as far as MKL is concerned: torch work in
    other threads of the process runs on one thread too while this lasts. Threads started inside
    must say it again for themselves before their first matrix product.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spread(tasks: Sequence[Callable[[Workspace], None]], workspaces: Sequence[Workspace]) -> None:
    """Do every task, one worker a workspace, each with the workspace that is free.

    Torch releases the interpreter's lock inside its operations, so threads are enough. Tasks must
    not depend on each other or on which workspace they get. The first error is raised after the
    running tasks have ended; tasks not begun by then are dropped.
    """
    free: SimpleQueue[Workspace] = SimpleQueue()
    for workspace in workspaces:
        free.put(workspace)

    def work(task: Callable[[Workspace], None]) -> None:
        torch.set_num_threads(1)  # of this very thread: matrix products ask its own setting
        workspace = free.get()
        try:
            with torch.inference_mode():
                task(workspace)
        finally:
            free.put(workspace)

    with one_torch_thread():
        if len(workspaces) == 1 or len(tasks) < 2:
            for task in tasks:
                work(task)
            return
        with ThreadPoolExecutor(len(workspaces)) as pool:
            futures = [pool.submit(work, task) for task in tasks]
            try:
                for future in futures:
                    future.result()
            finally:
                pool.shutdown(cancel_futures=True)
