"""Names for files that are being written: nothing is overwritten, nothing half has a final name."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from agentlens.errors import AlreadyExists, DiskError, RenderError

_LONGEST_STEM = 40


def refuse_existing(path: Path, force: bool) -> None:
    """Raise AlreadyExists when ``path`` is there and may not be replaced."""
    if path.exists() and not force:
        raise AlreadyExists(f"{path} exists; choose another name, or --force to replace it.")


def hidden_path(path: Path, word: str, suffix: str) -> Path:
    """A hidden name beside ``path`` that no other writer uses: ``.x.3f9c21.partial.mp4``."""
    stem = path.stem[:_LONGEST_STEM].lstrip(".")
    return path.with_name(f".{stem}.{secrets.token_hex(3)}.{word}{suffix}")


def shown_path(path: Path, word: str, suffix: str) -> Path:
    """A name beside ``path`` for what an interruption left: ``x.partial.mp4``, never a taken
    one."""
    for number in itertools.count(1):
        name = f"{path.stem}.{word}{'' if number == 1 else f'-{number}'}{suffix}"
        if not path.with_name(name).exists():
            return path.with_name(name)
    raise AssertionError("unreachable: the count never ends")


def publish(finished: Path, path: Path) -> None:
    """Give a finished file its name: sync the file, rename it, sync the folder."""
    with finished.open("rb") as file:
        os.fsync(file.fileno())
    finished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_NativePath: Any = type(Path())


class DrawnFile(_NativePath):  # type: ignore[misc]
    """The path of a picture or video that was just drawn; a notebook shows what it holds."""


@contextlib.contextmanager
def published(output: Path, force: bool) -> Iterator[Path]:
    """A temporary path that becomes ``output`` when the block ends well, and goes otherwise.

    Raises:
        AlreadyExists: the file is there and ``force`` is off.
        DiskError: the disk is full, failing or read-only.
    """
    refuse_existing(output, force)
    finished = hidden_path(output, "finished", output.suffix)
    try:
        with disk_errors(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            yield finished
            refuse_existing(output, force)
            publish(finished, output)
    finally:
        finished.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn failures of the disk and of the encoder into errors of the tree."""
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"{path}: {error.strerror or error}; free some space or choose another folder."
        ) from error
    except av.FFmpegError as error:
        raise RenderError(f"{path}: {error}.") from error
