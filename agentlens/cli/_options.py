"""Flags that several commands share and that no workflow knows, each defined once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from agentlens.compute import Compute, EngineName
from agentlens.errors import InvalidArgument
from agentlens.workflows.options import Name

if TYPE_CHECKING:
    from agentlens.store.recording import Recording

RecordingFolder = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RECORDING")]


@dataclass(frozen=True, kw_only=True)
class RecordingChoice:
    """Which recording, and whether its agent's code may run."""

    recording: RecordingFolder
    """Folder of a recording."""
    trust_code: bool = False
    """Allow code that the recording's agent or world names (module:Class) to run."""

    def open(self) -> Recording:
        """The recording, opened.

        Raises:
            Corrupt, Incompatible, DiskError: as ``open_recording``.
        """
        from agentlens.store.recording import open_recording

        return open_recording(self.recording, trust_code=self.trust_code)


@dataclass(frozen=True, kw_only=True)
class AgentChoice:
    """Which agent, and what its file cannot say."""

    agent: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="AGENT")]
    """A shipped or imported agent's name, an agent folder, a checkpoint file, or a
    training run's folder."""
    env: Name = None
    """Environment id such as ALE/Pong-v5, for a checkpoint."""
    format: Name = None
    """Format of a checkpoint (sb3, cleanrl, cleanrl-c51, torch-state-dict, baby-a3c,
    safetensors); found out if not given."""
    preset: Name = None
    """Preprocessing of a checkpoint: sb3-atari, ale-vector, cleanrl-atari, envpool,
    baby-a3c, ale-v5."""
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

    steps: Annotated[str | None, tyro.conf.arg(metavar="FIRST:END", help_behavior_hint="")] = None
    """Steps such as 100:200 (without the last), :200, 100: or 150; all if not given."""
    around: Name = None
    """Steps around the largest moment of a kind that `agentlens moments` lists, such as
    lost-point."""
    seconds: float = 20.0
    """Game time shown with --around."""

    def chosen(self, recording: Recording, episode: int = 0) -> slice | None:
        """The steps as a slice, or None for all.

        Raises:
            InvalidArgument: not written FIRST:END, both ways at once, or no such moment.
            UnknownName: no such kind of moment.
        """
        if self.around is None:
            return None if self.steps is None else read_steps(self.steps)
        from agentlens.drawing.moments import episode_numbers, find_moments, span_around

        if self.steps is not None:
            raise InvalidArgument("--steps and --around: give one of them.")
        if not 0 <= episode < len(recording.episodes):
            raise InvalidArgument(f"episode {episode}: there are {len(recording.episodes)}.")
        played = recording.episodes[episode]
        moments = find_moments(played, [self.around], 1, episode_numbers(recording, played))
        if not moments:
            raise InvalidArgument(f"episode {episode} has no moment of the kind {self.around}.")
        return span_around(played, moments[0].step, self.seconds)


def read_steps(text: str) -> slice:
    """The slice that "100:200", ":200", "100:" or "150" says.

    Raises:
        InvalidArgument: anything else.
    """
    ends = text.split(":")
    if (
        len(ends) > 2
        or not all((end.isascii() and end.isdigit()) or not end for end in ends)
        or not any(ends)
    ):
        raise InvalidArgument(f"steps {text!r}: expected FIRST:END, such as 100:200, or one step.")
    first = int(ends[0]) if ends[0] else 0
    if len(ends) == 1:
        return slice(first, first + 1)
    return slice(first, int(ends[1]) if ends[1] else None)
