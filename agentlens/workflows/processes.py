"""Work in several processes: the emulator keeps Python's threads waiting."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from agentlens.compute import Compute
from agentlens.errors import AgentlensError, DeviceError

if TYPE_CHECKING:
    import torch

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class _Made(Generic[Row]):
    """A row on its way: told apart from an error."""

    row: Row


def parts_for(compute: Compute, device: torch.device, count: int) -> list[Sequence[int]]:
    """Numbers 0 to ``count``, a part for each process that works: one on a GPU, else as many as
    ``compute.threads`` says, or one a core."""
    workers = 1
    if device.type == "cpu":
        workers = min(compute.threads or os.cpu_count() or 1, count)
    return [range(count)[worker::workers] for worker in range(workers)]


def in_processes(
    run: Callable[[Sequence[int]], Iterator[Row]], parts: Sequence[Sequence[int]]
) -> Generator[Row, None, None]:
    """Run every part in a process of its own, or the only one in this process.

    Args:
        run: makes the rows of a part; it travels to the processes, as ``pickle`` can.
        parts: numbers, a process each.

    Yields:
        The rows, each as soon as it is made; those of one part in order. Closed before its end,
        it stops the processes.

    Raises:
        AgentlensError: as ``run`` in one of the processes.
        DeviceError: a process died.
    """
    if len(parts) == 1:
        yield from run(parts[0])
        return
    context = multiprocessing.get_context("spawn")
    processes: dict[Connection, SpawnProcess] = {}
    try:
        for part in parts:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(
                target=_send_rows, args=(run, tuple(part), writer), daemon=True
            )
            with starting():
                process.start()
            writer.close()
            processes[reader] = process
        yield from _received(processes)
    finally:
        for process in processes.values():
            process.terminate()
            process.join()


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Where processes are started: Ctrl-C is held back, and the caller's script is left alone.

    What is started meanwhile never gets Ctrl-C: whoever started it stops it. It does not run the
    script again either, as spawned processes do: all that runs there is in this package, so a
    script needs no guard.
    """
    script = vars(sys.modules["__main__"])
    names: dict[str, Any] = {
        name: script[name] for name in ("__file__", "__spec__") if name in script
    }
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    script.update(dict.fromkeys(names))
    try:
        yield
    finally:
        script.update(names)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(processes: Mapping[Connection, SpawnProcess]) -> Iterator[Any]:
    """The rows that the processes send, until all have ended."""
    running = dict(processes)
    while running:
        for reader in cast(list[Connection], wait(list(running))):
            try:
                message = reader.recv()
            except EOFError:
                _check_ended(running.pop(reader))
                continue
            if isinstance(message, AgentlensError):
                raise message
            yield message.row


def _check_ended(process: SpawnProcess) -> None:
    process.join()
    if process.exitcode:
        raise DeviceError(
            f"one of the processes ended with code {process.exitcode} before its work was "
            "finished; fewer (--threads) need less memory."
        )


def _send_rows(
    run: Callable[[Sequence[int]], Iterator[Row]], numbers: Sequence[int], writer: Connection
) -> None:
    """What each process does; it ends without a word where nobody listens any more."""
    try:
        for row in run(numbers):
            writer.send(_Made(row=row))
    except AgentlensError as error:
        writer.send(error)
    except BrokenPipeError:
        raise SystemExit(1) from None
