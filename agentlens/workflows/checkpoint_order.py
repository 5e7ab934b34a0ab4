"""Checkpoints of one run in the order of training, as their names tell it."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentlens.errors import InvalidArgument

Order = Literal["steps", "names", "time"]

_SUFFIXES = (".tar", ".zip", ".gz", ".pth", ".pt", ".pkl", ".h5", ".safetensors", ".cleanrl_model")
_MARKED = re.compile(
    r"(?:steps?|ckpt|checkpoint|iter|iteration|update|epoch|frames?)[_.=-]?(\d+(?:\.\d+)?[kMG]?)"
    r"(?![a-z\d])|(?<![a-z\d])(\d+(?:\.\d+)?[kMG]?)[_.-]?(?:steps?|iters?|updates?|frames?)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\dv])(?<!\d\.)(\d+(?:\.\d+)?)([kMG]?)(?![a-z\d])", re.IGNORECASE)
_FIRST = re.compile(r"init|untrained|start", re.IGNORECASE)
_BEST = re.compile(r"best", re.IGNORECASE)
_LAST = re.compile(r"final|last|latest", re.IGNORECASE)
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}


@dataclass(frozen=True, kw_only=True, order=True)
class _Rank:
    """Initial files, then numbered ones by number, then the best, then the final one."""

    group: int
    number: float
    name: tuple[tuple[str, float], ...]


def checkpoint_files(pattern: str, order: Order = "steps") -> tuple[str, ...]:
    """The files of a pattern in the order of training.

    Args:
        pattern: for ``glob``, with ``**`` for folders.
        order: "steps": by the step number in the names that SB3 (``rl_model_256_steps.zip``),
            CleanRL and ``agents/train.py`` (``checkpoint-256.zip``) write; a file without a
            number is the final one, after ``best_model``. "names": as the names sort, numbers as
            numbers. "time": by when the files were written.

    Raises:
        InvalidArgument: no file matches.
    """
    files = glob.glob(pattern, recursive=True)
    if not files:
        raise InvalidArgument(f"no file matches {pattern!r}; quote the pattern for the shell.")
    if order == "time":
        return tuple(sorted(files, key=lambda file: (Path(file).stat().st_mtime_ns, file)))
    if order == "names":
        return tuple(sorted(files, key=_natural))
    alike = len({Path(file).name for file in files}) == 1
    return tuple(sorted(files, key=lambda file: _rank(file, folder=alike)))


def step_number(name: str) -> float | None:
    """The training step that a file's name tells, or None.

    Example:
        >>> step_number("rl_model_256_steps.zip"), step_number("step-1.2M.pt")
        (256.0, 1200000.0)
        >>> step_number("PongNoFrameskip-v4.zip") is None
        True
    """
    stem = name
    while (suffix := Path(stem).suffix) in _SUFFIXES:
        stem = stem.removesuffix(suffix)
    marked = _MARKED.search(stem)
    if marked is not None:
        stem = marked.group(1) or marked.group(2)
    numbers = _NUMBER.findall(stem)
    return float(numbers[-1][0]) * _FACTORS[numbers[-1][1].lower()] if numbers else None


def _rank(file: str, *, folder: bool) -> _Rank:
    """Place in the order of training; files of one name are told apart by their ``folder``."""
    name = Path(file).parent.name if folder else Path(file).name
    number = step_number(name)
    if number is not None and not _LAST.search(name):
        return _Rank(group=1, number=number, name=_natural(file))
    group = 0 if _FIRST.search(name) else 2 if _BEST.search(name) else 3
    return _Rank(group=group, number=0.0, name=_natural(file))


def _natural(name: str) -> tuple[tuple[str, float], ...]:
    """Sort key in which numbers count as numbers."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return tuple((text, float(part or -1)) for text, part in parts)
