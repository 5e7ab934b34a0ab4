"""Writing so that a crash leaves the old file or the new one, and saying clearly when a disk
refuses."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from agentlens.errors import DiskError, InvalidArgument

RECORDING_JSON = "recording.json"
"""The document of a recording's folder."""

_TEMPORARY = ".agentlens-tmp"
_ADVICE = {
    errno.ENOSPC: "free some space or choose another folder; what was finished before is intact",
    errno.EDQUOT: "your quota is used up; free some space, what was finished before is intact",
    errno.EFBIG: "a file size limit was reached; what was finished before is intact",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EIO: "the disk fails; choose another one, and copy what is on it",
    errno.ENOTDIR: "a part of this path is a file; choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "it is a symbolic link, and nothing is written through one; remove it",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
}


@contextlib.contextmanager
def disk_errors(path: Path, action: str) -> Iterator[None]:
    """Turn the operating system's refusals into ``DiskError`` with the file, the reason and advice.

    Args:
        path: the file or folder worked on.
        action: a verb for the message: "write", "read", "create".
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        advice = _ADVICE.get(error.errno or 0)
        raise DiskError(
            f"{path}: cannot {action}: {reason}{f'; {advice}' if advice else ''}."
        ) from error


def checked_folder(folder: Path | str) -> Path:
    """A folder's path, refusing what cannot be written into every file that names it.

    Raises:
        InvalidArgument: empty, with a NUL character, or not UTF-8.
    """
    text = os.fspath(folder)
    if not text or "\0" in text:
        raise InvalidArgument(f"folder {text!r}: expected a path without NUL characters.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"folder {text!a}: expected a name in UTF-8.") from None
    return Path(text)


def make_folder(folder: Path, *, inside: Path | None = None) -> None:
    """Create a folder and its parents; existing ones are fine.

    Args:
        folder: what is wanted.
        inside: a folder that is trusted, the recording around it if not given; nothing from there
            on may be a symbolic link, since what a received folder links to may lie anywhere.

    Raises:
        DiskError: it cannot be made, or a part of it is a link.
    """
    inside = inside if inside is not None else _recording_around(folder)
    if inside is not None:
        for part in (folder, *folder.parents):
            if part == inside:
                break
            refuse_link(part)
    with disk_errors(folder, "create"):
        folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Create a folder for work that begins here; if that fails, what was created for it and is
    still empty is removed.

    Raises:
        DiskError: as ``make_folder``.
    """
    new = [part for part in (folder, *folder.parents) if not os.path.lexists(part)]
    try:
        make_folder(folder)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for part in new:
                part.rmdir()
        raise


def _recording_around(folder: Path) -> Path | None:
    """The outermost recording that a folder lies in: an inner one may be behind a link."""
    around = [part for part in folder.parents if (part / RECORDING_JSON).exists()]
    return around[-1] if around else None


def refuse_link(path: Path) -> None:
    """Refuse a symbolic link in the place of what is to be written.

    Raises:
        DiskError: names it.
    """
    if path.is_symlink():
        raise DiskError(f"{path}: cannot write: {_ADVICE[errno.ELOOP]}.")


def open_for_writing(path: Path, flags: int) -> int:
    """A descriptor of a file that is no symbolic link, created if missing.

    Args:
        path: of the file; its folder is the caller's to check.
        flags: of ``os.open`` beside creating.

    Raises:
        OSError: as ``os.open``; ELOOP for a link.
    """
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)


def names_in(folder: Path) -> set[str]:
    """Names in a folder, after removing what a killed ``write_file`` left (only its writer may
    ask)."""
    with disk_errors(folder, "read"):
        names = set(os.listdir(folder))
        left = {name for name in names if name.startswith(".") and name.endswith(_TEMPORARY)}
        for name in left:
            (folder / name).unlink(missing_ok=True)
    return names - left


def sync_folder(folder: Path) -> None:
    """Make renames and new names in a folder survive a power loss."""
    with disk_errors(folder, "sync"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; ``os.write`` may take fewer than it is given."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(path: Path, data: bytes | memoryview) -> None:
    """Replace a file at once: temporary name, fsync, rename, fsync of the folder.

    Raises:
        DiskError: the old file is then unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{_TEMPORARY}")
    try:
        with disk_errors(path, "write"):
            descriptor = open_for_writing(temporary, os.O_WRONLY | os.O_EXCL)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
    except DiskError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def require_space(folder: Path, n_bytes: int) -> None:
    """Refuse to begin what will not fit.

    Raises:
        DiskError: the folder's disk has less than ``n_bytes`` free; both numbers are named.
    """
    with disk_errors(folder, "read"):
        free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise DiskError(
            f"{folder}: about {n_bytes / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB are free; "
            "free some space or choose another folder."
        )
