"""Flags that several commands share and that no workflow knows, each defined once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agentlens.compute import Compute, EngineName
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import Name, Whole

RecordingFolder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECORDING")]


@dataclass(frozen=True, kw_only=True)
class AgentChoice:
    """Which agent, and what its file cannot say."""

    agent: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="AGENT")]
    """A shipped or imported agent's name, an agent folder, or a checkpoint file."""
    env: Name = None
    """Environment id such as ALE/Pong-v5, for a checkpoint."""
    format: Name = None
    """Format of a checkpoint (sb3, torch-state-dict, baby-a3c, safetensors); found out if not
    given."""
    preset: Name = None
    """Preprocessing of a checkpoint: sb3-atari, ale-vector, cleanrl-atari, baby-a3c, ale-v5."""
    trust_code: bool = False
    """Allow an import string (module:Class) to run its code."""


@dataclass(frozen=True, kw_only=True)
class DeviceFlags:
    """Where the work is done."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:N; the choice is printed."""
    threads: int = 0
    """CPU threads; 0 for one a core."""

    @property
    def compute(self) -> Compute:
        """What computes, as these flags say it."""
        return Compute(device=self.device, threads=self.threads)


@dataclass(frozen=True, kw_only=True)
class ComputeFlags(DeviceFlags):
    """Where and how maps are computed."""

    engine: EngineName = "auto"
    """How perturbed inputs are evaluated; all give the same numbers."""
    memory_gb: float = 1.0
    """Memory that the engine may use beyond the model, in GB."""

    @property
    def compute(self) -> Compute:
        """What computes, as these flags say it.

        Raises:
            InvalidArgument: no memory, or more than there is anywhere.
        """
        if not 0 < self.memory_gb <= 1_000_000:
            raise InvalidArgument(
                f"memory of {self.memory_gb:g} GB: expected more than 0, at most 1000000."
            )
        return Compute(
            device=self.device,
            threads=self.threads,
            engine=self.engine,
            memory_bytes=int(self.memory_gb * 2**30),
        )


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which steps."""

    start: Whole = None
    """First step."""
    end: Whole = None
    """The step after the last."""

    @property
    def steps(self) -> slice | None:
        """The steps as a slice, or ``None`` for all."""
        return None if self.start is None and self.end is None else slice(self.start, self.end)
