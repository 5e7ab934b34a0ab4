"""What a policy format is: from a checkpoint to a declared network, tensors and what else it
says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from agentlens.errors import CheckpointError, InvalidArgument, UnsafeCheckpoint
from agentlens.layer_spec import NetworkSpec
from agentlens.policies.base import Policy
from agentlens.policies.foreign import foreign_file
from agentlens.policies.signature import Signature, read_signature
from agentlens.registry import Registry
from agentlens.spec import AgentSpec, ValueSpec


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What the caller knows of a checkpoint before it is read.

    ``network``: a declared network, where there is one. ``sources``: for each of its layers where
    the tensors are in the checkpoint (see ``weights.collect``). ``actions``: how many outputs.
    ``observation``: fields of ``ObservationSpec`` that the caller states.
    """

    network: NetworkSpec | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    actions: int | None = None
    observation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says.

    ``tensors``: float32, by the names that ``networks`` documents. ``actions``: number of
    outputs. ``observation`` and ``environment``: fields of the specs that the file states.
    ``preset`` and
    ``env``: the protocol and the environment that it implies, "" where it implies none.
    ``assumed``: what had to be taken for granted about the network.
    """

    network: NetworkSpec
    tensors: Mapping[str, Tensor]
    actions: int
    algorithm: str = ""
    observation: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    preset: str = ""
    preset_assumed: bool = False
    env: str = ""
    selection: Literal["sample", "greedy", "epsilon"] = "sample"
    epsilon: float = 0.0
    reason: str = ""
    value: ValueSpec = field(default_factory=ValueSpec)
    assumed: tuple[str, ...] = ()


def _no_file(file: Signature) -> int:
    return 0


@dataclass(frozen=True, kw_only=True)
class Format:
    """One checkpoint format.

    Attributes:
        summary: one line for lists.
        likeness: 0 for a file that is not of this format, 1 for one that could be, 2 for one that
            surely is, by its signature. Raises nothing.
        read: reads a checkpoint; raises ``CheckpointError`` and its kin only.
        build: for formats without a weight file: the policy itself.
    """

    summary: str
    likeness: Callable[[Signature], int] = _no_file
    read: Callable[[Path, Hints], Checkpoint] | None = None
    build: Callable[[AgentSpec], Policy] | None = None


FORMATS: Registry[Format] = Registry(
    package="agentlens.policies.formats",
    attribute="FORMAT",
    kind="checkpoint format",
    group="agentlens.formats",
)
"""Checkpoint formats by name; one file each in ``policies/formats``, or an entry point."""


def detect_format(path: Path) -> str:
    """Find out a checkpoint's format by looking inside.

    Raises:
        CheckpointError: no such file, or of no known format; says what it is where that is known.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint.")
    file = read_signature(path)
    scores = {name: FORMATS.load(name).likeness(file) for name in FORMATS.names()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best]:
        return best
    if isinstance(file.problem, UnsafeCheckpoint):
        raise file.problem
    raise foreign_file(file.start, str(path), file.members)


def read_checkpoint(path: Path, format: str, hints: Hints) -> Checkpoint:
    """Read a checkpoint of a named format.

    Raises:
        UnknownName: no such format.
        CheckpointError: the file cannot be used; UnsafeCheckpoint, WeightMismatch are kinds of it.
    """
    reader = FORMATS.load(format).read
    if reader is None:
        raise InvalidArgument(f"format {format!r} has no weight file to read ({path}).")
    return reader(path, hints)
