"""Names of results that nobody named: never one that is taken."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

RECORDINGS = Path("recordings")
_LONGEST = 100
REPORTS = Path("reports")
VIDEOS = Path("videos")


def fresh_path(folder: Path, stem: str, suffix: str = "") -> Path:
    """The first of ``stem``, ``stem-2``, ``stem-3`` ... that does not exist in ``folder``.

    Whatever ``stem`` says (an agent's name comes from its file), the path stays in ``folder``:
    other signs than letters, digits, ``.``, ``_`` and ``-`` become ``-``, and so do leading dots.

    Example:
        >>> fresh_path(Path("nowhere"), "pong", ".mp4").name
        'pong.mp4'
    """
    stem = re.sub(r"^[.]+|[^\w.-]", "-", stem)[:_LONGEST]
    for number in itertools.count(1):
        path = folder / f"{stem}{'' if number == 1 else f'-{number}'}{suffix}"
        if not path.exists():
            return path
    raise AssertionError("unreachable: the count never ends")


def pair_name(names: Sequence[str]) -> str:
    """The first and the last of some agents, recordings or checkpoints as one file name.

    Example:
        >>> pair_name(["recordings/a", "runs/last.zip"])
        'a-and-last'
    """
    ends = [Path(name).stem for name in (*names[:1], *names[-1:])]
    return "-and-".join(ends) or "comparison"
