"""One writer a folder: a lock that dies with its process and names its owner."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentlens.errors import DiskError, Locked
from agentlens.store.atomic import disk_errors, open_for_writing, write_all

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass
class FolderLock:
    """An advisory lock on ``<folder>/.lock``, held until ``release`` or the process's end.

    The kernel holds it, so a lock file left by a dead process, or naming a process id that is in
    use again, is taken over at once. Only where the file names another machine (a shared disk,
    whose locks may not reach this far) is it refused; the message says which file to delete.

    Raises:
        Locked: another process writes here; names it.
        DiskError: the folder cannot be written, or its file system knows no locks.
    """

    folder: Path

    def __post_init__(self) -> None:
        self.path = self.folder / LOCK_NAME
        self._descriptor = self._acquire()

    @property
    def held(self) -> bool:
        """Whether it was not released yet."""
        return self._descriptor >= 0

    def release(self) -> None:
        """Give the folder back; twice is fine."""
        if not self.held:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = -1

    def _acquire(self) -> int:
        with disk_errors(self.path, "write"):
            while True:
                descriptor = open_for_writing(self.path, os.O_RDWR)
                try:
                    if self._take(descriptor):
                        return descriptor
                except BaseException:
                    os.close(descriptor)
                    raise
                os.close(descriptor)

    def _take(self, descriptor: int) -> bool:
        """Lock and sign the file; false if its last owner deleted it in between."""
        if fcntl is None:
            raise DiskError(
                f"{self.folder}: {platform.system()} has no POSIX locks, which keep two programs "
                "from writing one recording: use Linux, macOS, or WSL on Windows."
            )
        signature = json.dumps(_self()).encode()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(
                f"{self.folder} is being written by {_describe(_owner(descriptor, patience=0.2))}; "
                "wait for it, stop it, or choose another folder."
            ) from None
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise DiskError(
                    f"{self.path}: this file system knows no locks; choose a folder on a "
                    "local disk."
                ) from error
            raise
        if not self.path.exists() or not os.path.samestat(os.fstat(descriptor), self.path.stat()):
            return False
        owner = _owner(descriptor)
        if owner and owner.get("host") != platform.node() and owner.get("boot") != _boot():
            raise Locked(
                f"{self.folder} is marked as being written by {_describe(owner)}; "
                f"if that no longer runs, delete {self.path}."
            )
        os.ftruncate(descriptor, 0)
        write_all(descriptor, signature)
        return True


def _self() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "boot": _boot(),
        "process_start": _process_start(),
        "since": datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat(),
    }


def _owner(descriptor: int, patience: float = 0.0) -> dict[str, Any]:
    """What the lock file says; empty if nothing sensible.

    A new owner signs a moment after it has locked: ``patience`` is how many seconds to wait for it.
    """
    patient_until = time.monotonic() + patience
    while os.fstat(descriptor).st_size == 0 and time.monotonic() < patient_until:
        time.sleep(0.01)
    try:
        owner_note = json.loads(os.pread(descriptor, 4096, 0))
    except (ValueError, RecursionError):
        return {}
    return owner_note if isinstance(owner_note, dict) else {}


def _describe(owner: dict[str, Any]) -> str:
    if not owner:
        return "another process"
    pid, host, since = (str(owner.get(key, "?"))[:80] for key in ("pid", "host", "since"))
    return f"process {pid} on {host} since {since}"


def _boot() -> str:
    """The kernel's boot id; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _process_start() -> int:
    """Clock ticks from boot to this process's start; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
