"""Names of results that nobody named: never one that is taken."""

from __future__ import annotations

import itertools
from pathlib import Path

RECORDINGS = Path("recordings")


def fresh_path(folder: Path, stem: str, suffix: str = "") -> Path:
    """The first of ``stem``, ``stem-2``, ``stem-3`` ... that does not exist in ``folder``.

    Example:
        >>> fresh_path(Path("nowhere"), "pong", ".mp4").name
        'pong.mp4'
    """
    for number in itertools.count(1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        if not path.exists():
            return path
    raise AssertionError("unreachable: the count never ends")
