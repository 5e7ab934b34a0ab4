"""Flags that several commands share and that no workflow knows, each defined once."""

from __future__ import annotations

from dataclasses import dataclass

import tyro

Positional = tyro.conf.Positional
Flat = tyro.conf.OmitArgPrefixes


@dataclass(frozen=True, kw_only=True)
class AgentChoice:
    """Which agent, and what its file cannot say."""

    agent: Positional[str]
    """A shipped or imported agent's name, an agent folder, or a checkpoint file."""
    env: str | None = None
    """Environment id such as ALE/Pong-v5, for a checkpoint."""
    format: str | None = None
    """Format of a checkpoint (sb3, torch-state-dict, baby-a3c, safetensors); found out if not given."""
    preset: str | None = None
    """Preprocessing of a checkpoint: sb3-atari, ale-vector, cleanrl-atari, baby-a3c, ale-v5."""
    trust_code: bool = False
    """Allow an import string (module:Class) to run its code."""


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Where the work is done."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:N; the choice is printed."""
    threads: int = 0
    """CPU threads; 0 for one a core."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which steps."""

    start: int | None = None
    """First step."""
    end: int | None = None
    """The step after the last."""

    @property
    def steps(self) -> slice | None:
        """The steps as a slice, or ``None`` for all."""
        return None if self.start is None and self.end is None else slice(self.start, self.end)
