"""Every error agentlens raises on purpose.

The tree::

    AgentlensError                   catch this to catch them all; the CLI prints it, exits 1
    ├── InvalidArgument              a value of the caller's is out of range or of the wrong kind
    │   ├── ShapeError               an array's shape is not the expected one
    │   ├── DtypeError               an array's dtype is not the expected one
    │   └── UnknownName              a name is not in its table (the nearest ones are listed)
    ├── ManifestError                a toml file or recording.json says something impossible
    ├── CheckpointError              a weight file cannot be used
    │   ├── UnsafeCheckpoint         it would need code to be executed, or it claims absurd sizes
    │   └── WeightMismatch           tensors do not fit the network (names the tensor)
    ├── EmulatorError                the emulator, its ROM or the protocol cannot do what was asked
    ├── DeviceError              the device failed, or its memory ran out at the smallest chunk
    ├── NotFinite                    a NaN or an infinity where none may be (names where)
    ├── OutputMismatch               recomputed outputs differ from the recorded ones
    ├── StoreError                   a recording or map set on disk
    │   ├── AlreadyExists            the output is there already and --force was not given
    │   ├── Corrupt                  truncated, altered or foreign bytes (names file and reason)
    │   ├── Incompatible             written by a newer or unknown schema version
    │   ├── Locked                   another process is writing (names its pid and start)
    │   └── DiskError                full, read-only or failing disk (names the file)
    ├── RenderError                  a video or picture cannot be made
    ├── MissingExtra                 an optional dependency is not installed (names the extra)
    └── Interrupted                  Ctrl-C or SIGTERM; what was written so far is readable

A message says what was got, what was expected and what to do. None of these subclasses
``KeyError`` or ``OSError``: the first quotes its message, the second changes it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def _again(kind: type[AgentlensError], message: str) -> AgentlensError:
    return kind.__new__(kind, message)


class AgentlensError(Exception):
    """Base of every error that agentlens raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes as the message, whatever the constructor takes."""
        return _again, (type(self), str(self)), self.__dict__


class InvalidArgument(AgentlensError):
    """A value passed by the caller is out of range or of the wrong kind."""


class ShapeError(InvalidArgument):
    """An array's shape is not the expected one."""


class DtypeError(InvalidArgument):
    """An array's dtype is not the expected one."""


class UnknownName(InvalidArgument):
    """A name is not in its table; the message lists the nearest names, or all of them if few."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            advice = f"did you mean {' or '.join(repr(n) for n in near)}?"
        elif len(names) <= 12:
            advice = f"there is {', '.join(names)}." if names else "there is none."
        else:
            advice = f"there are {len(names)}, from {names[0]!r} to {names[-1]!r}."
        super().__init__(f"unknown {kind} {name!r}: {advice}{' ' + hint if hint else ''}")
        self.kind, self.name = kind, name


class ManifestError(AgentlensError):
    """A description file (agent.toml, train.toml, recording.json) says something impossible."""


class CheckpointError(AgentlensError):
    """A weight file cannot be used."""


class UnsafeCheckpoint(CheckpointError):
    """A weight file would need code to be executed, or claims absurd sizes."""


class WeightMismatch(CheckpointError):
    """The tensors of a weight file do not fit the declared network; names the tensor."""


class EmulatorError(AgentlensError):
    """The emulator, its ROM or the protocol cannot do what was asked."""


class DeviceError(AgentlensError):
    """The computing device failed, or its memory ran out at the smallest chunk."""


class NotFinite(AgentlensError):
    """A NaN or an infinity stands where none may be; names the place."""


class OutputMismatch(AgentlensError):
    """Recomputed outputs differ from the recorded ones; names the episode and the step."""


class StoreError(AgentlensError):
    """Something about a recording or map set on disk."""


class AlreadyExists(StoreError):
    """The output is there already and overwriting was not asked for."""


class Corrupt(StoreError):
    """Truncated, altered or foreign bytes; names the file and the reason."""


class Incompatible(StoreError):
    """Written by a newer or unknown schema version."""


class Locked(StoreError):
    """Another process is writing here; names it."""


class DiskError(StoreError):
    """A full, read-only or failing disk; names the file."""


class RenderError(AgentlensError):
    """A video or picture cannot be made."""


class MissingExtra(AgentlensError):
    """An optional dependency is not installed; names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: "
            f"pip install 'agentlens[{extra}]'."
        )


class Interrupted(AgentlensError):
    """Ctrl-C or SIGTERM arrived; what was written so far is readable."""
