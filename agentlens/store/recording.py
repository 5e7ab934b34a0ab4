"""Episodes on disk: the recorder's writer and everybody's reader. (Contract; see the docstrings.)

Layout of a recording::

    <folder>/
      recording.json            header, episode table, completion marker
      episodes/00000.arrow      one Arrow IPC file an episode (zstd, 32 steps a batch)
      agent/agent.toml ...      copy of the agent's folder
      maps/<name>/              map sets (store.maps)
      .lock                     the one writer, while it writes
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.spec import AgentSpec


@dataclass(frozen=True, kw_only=True)
class RecordingHeader:
    """What holds for all episodes: written into recording.json.

    ``agent``: the complete spec with every resolved value, as played (selection included).
    ``player``: for a revisit, the name of the agent whose actions drove the episode, else "".
    ``seed``: as given by the user. ``episodes_wanted``: how many were asked for.
    ``screen_shape``: (210, 160) for nearly all games. ``provenance``: see ``provenance``.
    """

    agent: AgentSpec
    seed: int
    episodes_wanted: int
    rom_md5: str
    emulator_actions: tuple[str, ...]
    screen_shape: tuple[int, int] = (210, 160)
    max_steps: int = 0
    player: str = ""
    provenance: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One decision. Arrays are copied by the writer before ``append`` returns.

    ``screen``, ``screen_before``: uint8 [Y, X] palette indices, the last two native screens at
    the moment of the decision. ``plane``: uint8 or float32 [H, W], the newest observation plane,
    unscaled. ``state``: float32 [S] *before* the step, or None. ``ram``: uint8 [128].
    ``logits`` / ``q_values``: float32 [A], one of them. ``value``: float or None.
    ``action``: index into the agent's action meanings. ``forced``: the actions that wrappers
    (start phases, life loss) executed between the previous row's decision and this one, int32
    [n, 2] of (emulator action, emulator frames). ``reward``: raw sum over the decision's frames,
    the forced ones that follow it included.
    """

    emulator_frame: int
    frames_advanced: int
    screen: np.ndarray
    screen_before: np.ndarray
    plane: np.ndarray
    stack_reset: bool
    state_reset: bool
    ram: np.ndarray
    state: np.ndarray | None
    logits: np.ndarray | None
    q_values: np.ndarray | None
    value: float | None
    action: int
    forced: np.ndarray
    reward: float
    clipped_reward: float
    lives: int
    terminated: bool
    truncated: bool


class EpisodeWriter:
    """Appends the steps of one episode; obtained from ``RecordingWriter.episode``."""

    def append(self, row: StepRow) -> None:
        """Add one step; every 32nd call writes a batch and flushes it to the file."""
        raise NotImplementedError

    def learn_palette(self, indices: np.ndarray, rgb: np.ndarray) -> None:
        """Learn palette entries from one screen: uint8 [Y, X] and uint8 [Y, X, 3] (cheap once complete)."""
        raise NotImplementedError

    def finish(self, *, last_screen: np.ndarray, end: str) -> None:
        """Close the episode: footer, fsync, rename, row in the episode table.

        Args:
            last_screen: uint8 [Y, X] palette indices after the last action.
            end: "terminated", "truncated", "max_steps", "stuck".
        """
        raise NotImplementedError


class RecordingWriter:
    """The one writer of a recording folder (a context manager).

    Leaving it on an exception or Ctrl-C keeps every whole batch of unfinished episodes; a later
    ``open_recording`` shows them as incomplete, and ``resume=True`` records them again.

    Raises:
        AlreadyExists: the folder holds something and neither ``force`` nor ``resume`` was given.
        Locked: another process writes there; the message names it.
        DiskError: read-only, full or failing disk.
    """

    def __init__(
        self,
        folder: Path,
        header: RecordingHeader,
        *,
        agent_files: Sequence[Path] = (),
        force: bool = False,
        resume: bool = False,
    ) -> None:
        raise NotImplementedError

    def __enter__(self) -> RecordingWriter:
        raise NotImplementedError

    def __exit__(self, *exception: object) -> None:
        raise NotImplementedError

    @property
    def finished_episodes(self) -> tuple[int, ...]:
        """Indices already complete (when resuming)."""
        raise NotImplementedError

    def episode(self, index: int, *, seed: int, seed_words: Sequence[int]) -> EpisodeWriter:
        """Begin an episode; several may be open at a time."""
        raise NotImplementedError

    def complete(self) -> None:
        """Write the completion marker once all wanted episodes are finished."""
        raise NotImplementedError


class Screens:
    """Palette screens of an episode: ``screens[i]`` -> RGB uint8 [Y, X, 3]; slices give [n, Y, X, 3]."""

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int | slice) -> np.ndarray:
        raise NotImplementedError


class Episode:
    """One episode, read lazily; ``episode[10:20]`` is an Episode of those steps that keeps its step numbers.

    Attributes (arrays of T rows, read once and cached unless large):
        rewards, clipped_rewards: float32. actions: int64. lives, emulator_frames,
        frames_advanced: int64. terminated, truncated, stack_resets, state_resets: bool.
        logits, q_values: float32 [T, A] or None. values: float32 [T] or None.
        states: float32 [T, S] or None (before each step). ram: uint8 [T, 128].
        steps: int64, the step numbers within the whole episode.
        screens, screens_before: RGB access. planes: [n, H, W] access by slice.
        observations: ``observations[a:b]`` -> float32 [n, K, H, W] exactly as the network saw them
        (indices relative to this episode object; stacks reach back before a slice's start).
        index, seed, end, complete, digest, raw_return, last_screen.
    """

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, steps: slice) -> Episode:
        raise NotImplementedError


class Recording:
    """A recording opened for reading: ``folder``, ``header``, ``episodes``, ``complete``, ``palette`` uint8 [256, 3]."""

    folder: Path
    header: RecordingHeader
    episodes: tuple[Episode, ...]
    complete: bool
    palette: np.ndarray

    @property
    def distinct_episodes(self) -> int:
        """How many episodes differ in their actions or screens."""
        raise NotImplementedError


def open_recording(folder: Path | str) -> Recording:
    """Open a recording, finished or not.

    Raises:
        Corrupt: no recording, or a truncated or altered file; names file and reason.
        Incompatible: another schema version.
    """
    raise NotImplementedError
