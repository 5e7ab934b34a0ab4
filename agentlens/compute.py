"""Where and how a computation runs: one frozen object that travels whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from agentlens.errors import InvalidArgument

EngineName = Literal["auto", "reference", "batched", "incremental"]


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where and how to compute; the numbers do not depend on it beyond the stated tolerance.

    Raises:
        InvalidArgument: a value that no machine could follow.
    """

    device: str = "auto"
    """auto, cpu, cuda or cuda:N; the choice is printed."""
    threads: int = 0
    """CPU threads; 0 for one a core."""
    engine: EngineName = "auto"
    """What evaluates perturbed inputs; the same numbers from each."""
    memory_bytes: int = 1 << 30
    """What an engine may use beyond the model, in bytes."""

    def __post_init__(self) -> None:
        if type(self.threads) is not int or self.threads < 0:
            raise InvalidArgument(f"{self.threads!r} threads: expected 0 (one a core) or more.")
        if type(self.memory_bytes) is not int or self.memory_bytes < 1:
            raise InvalidArgument(
                f"memory of {self.memory_bytes!r} bytes: expected a positive whole number."
            )
        if self.engine not in get_args(EngineName):
            raise InvalidArgument(
                f"engine {self.engine!r}: expected one of {', '.join(get_args(EngineName))}."
            )
