"""Episodes as readers see them: columns as arrays, screens in colour, observations rebuilt."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import SupportsIndex

import numpy as np

from agentlens.arrays import scale_planes, stack_planes
from agentlens.errors import InvalidArgument
from agentlens.palette import Palette
from agentlens.spec import ObservationSpec
from agentlens.store import schema
from agentlens.store.episode_file import EpisodeFile
from agentlens.store.header import RecordingHeader


def _range(index: SupportsIndex | slice, length: int) -> tuple[int, int]:
    """First and last + 1 of an index or slice into ``length`` steps.

    Raises:
        InvalidArgument: outside, or a slice with a stride.
    """
    if isinstance(index, slice):
        start, stop, stride = index.indices(length)
        if stride != 1:
            raise InvalidArgument(f"a slice with stride {stride}: expected neighbouring steps.")
        return start, max(start, stop)
    at = operator.index(index)
    if not -length <= at < length:
        raise InvalidArgument(f"step {at}: expected 0 to {length - 1}, there are {length} steps.")
    return at % length, at % length + 1


class _Rows:
    """Arrays that are read when asked for: an index gives one, a slice [n, ...]."""

    def __init__(self, file: EpisodeFile, column: str, start: int, stop: int) -> None:
        self._file, self._column, self._start, self._stop = file, column, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, index: SupportsIndex | slice) -> np.ndarray:
        first, last = _range(index, len(self))
        rows = self._load(self._start + first, self._start + last)
        return rows if isinstance(index, slice) else rows[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        for first in range(0, len(self), schema.BATCH_STEPS):
            yield from self[first : first + schema.BATCH_STEPS]

    def _load(self, start: int, stop: int) -> np.ndarray:
        return self._file.read(self._column, start, stop)


class Planes(_Rows):
    """The newest observation plane of each step, unscaled: uint8 or float32 [H, W]."""


class Screens(_Rows):
    """Screens of an episode: ``screens[i]`` -> RGB uint8 [Y, X, 3]; slices give [n, Y, X, 3].

    ``indices`` has the same screens as they are stored: palette indices, uint8 [Y, X], or RGB.
    """

    def __init__(
        self, file: EpisodeFile, column: str, start: int, stop: int, palette: Palette | None
    ) -> None:
        super().__init__(file, column, start, stop)
        self._palette = palette
        self.indices = _Rows(file, column, start, stop)

    def _load(self, start: int, stop: int) -> np.ndarray:
        screens = super()._load(start, stop)
        return screens if self._palette is None else self._palette.to_rgb(screens)


class Observations(_Rows):
    """What the network saw: ``observations[a:b]`` -> float32 [n, K, H, W], scaled, oldest plane
    first.

    Stacks are rebuilt from single planes; near the start of a sliced episode they reach back to
    the planes before it. Memory is 4 K bytes a pixel.
    """

    def __init__(self, file: EpisodeFile, start: int, stop: int, spec: ObservationSpec) -> None:
        super().__init__(file, schema.PLANE, start, stop)
        self._spec = spec

    def _load(self, start: int, stop: int) -> np.ndarray:
        if stop <= start:
            return np.zeros((0, *self._spec.shape), np.float32)
        before = min(start, self._spec.stack - 1)
        planes = super()._load(start - before, stop)
        resets = self._file.read(schema.STACK_RESET, start - before, stop)
        stacks = stack_planes(planes, resets, self._spec.stack, self._spec.stack_fill)
        return scale_planes(stacks[before:], self._spec.scale_divisor)


class Episode:
    """One episode, read lazily; ``episode[10:20]`` is an Episode of those steps that keeps its
    step numbers.

    Attributes (arrays of T rows; small ones are read once and kept):
        rewards, clipped_rewards: float32. actions: int64. lives, emulator_frames,
        frames_advanced: int64. terminated, truncated, stack_resets, state_resets: bool.
        logits, q_values: float32 [T, A] or None. values: float32 [T] or None.
        states: float32 [T, S] or None (before each step). ram: uint8 [T, 128].
        fingerprints: uint8 [T, N]. quantiles: float32 [T, A, N] or None.
        forced: int32 [n, 2] for each step. steps: int64, the step numbers within the whole episode.
        screens, screens_before: RGB access. planes: [n, H, W] access by slice.
        observations: ``observations[a:b]`` -> float32 [n, K, H, W] exactly as the network saw them
        (indices relative to this episode object; stacks reach back before a slice's start).
        recording: identity of the recording (see ``RecordingHeader``).
        index, seed, seed_words, end, complete, digest, raw_return, last_screen: of the whole
        episode; an incomplete one has end "", digest "" and no last screen.

    Raises:
        Corrupt: from any attribute, if the file was altered; names the steps.
    """

    def __init__(
        self,
        file: EpisodeFile,
        header: RecordingHeader,
        palette: Palette,
        span: tuple[int, int] | None = None,
    ) -> None:
        self._file, self._header, self._palette = file, header, palette
        self._start, self._stop = span if span is not None else (0, file.steps)
        self.index, self.recording = file.index, header.identity
        entry = file.entry
        self.complete = entry is not None
        self.end = entry.end if entry else ""
        self.digest = entry.digest if entry else ""
        self.content = entry.content if entry else ""
        """The same for the same game played twice: a digest of actions, RAM and last screen."""

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, steps: slice) -> Episode:
        if not isinstance(steps, slice):
            raise InvalidArgument(f"episode[{steps!r}]: expected a slice, like episode[10:20].")
        first, last = _range(steps, len(self))
        span = (self._start + first, self._start + last)
        return Episode(self._file, self._header, self._palette, span)

    def __repr__(self) -> str:
        state = self.end or "unfinished"
        return f"Episode({self.index}, steps {self._start} to {self._stop - 1}, {state})"

    def check(self, *, chain: bool = False) -> None:
        """Compare the file with its digest, now (the first read does it too).

        Args:
            chain: compare a finished file with its chain of digests, too, which nothing reads but
                whoever looks for the place of a damage.

        Raises:
            Corrupt: names the file and the first bad steps.
        """
        self._file.check()
        if chain:
            self._file.check_chain()

    @functools.cached_property
    def seed(self) -> int:
        """The seed of this episode's generator and emulator."""
        return self._file.entry.seed if self._file.entry else int(self._file.about.get("seed", 0))

    @functools.cached_property
    def seed_words(self) -> tuple[int, ...]:
        """What was drawn from the seed."""
        if self._file.entry:
            return self._file.entry.seed_words
        return tuple(self._file.about.get("seed_words", ()))

    @functools.cached_property
    def raw_return(self) -> float:
        """Sum of the raw rewards of the whole episode, as far as it is recorded."""
        if self._file.entry:
            return self._file.entry.raw_return
        whole = self._file.read(schema.REWARD, 0, self._file.steps)
        return float(whole.sum(dtype=np.float64))

    @functools.cached_property
    def last_screen(self) -> np.ndarray | None:
        """The screen after the last action: RGB uint8 [Y, X, 3]."""
        indices = self.last_screen_indices
        if indices is None or self._colours is None:
            return indices
        return self._colours.to_rgb(indices)

    @property
    def _colours(self) -> Palette | None:
        return self._palette if self._header.screens == "palette" else None

    @functools.cached_property
    def last_screen_indices(self) -> np.ndarray | None:
        """The same as it is stored: palette indices, uint8 [Y, X], or RGB."""
        entry = self._file.entry
        return entry.screen(self._header.screen_array_shape) if entry else None

    @property
    def steps(self) -> np.ndarray:
        """Step numbers within the whole episode: int64 [T]."""
        return np.arange(self._start, self._stop)

    @functools.cached_property
    def rewards(self) -> np.ndarray:
        """Raw rewards: float32 [T]."""
        return self._column(schema.REWARD, np.float32)

    @functools.cached_property
    def clipped_rewards(self) -> np.ndarray:
        """Rewards as clipped in training: float32 [T]."""
        return self._column(schema.CLIPPED_REWARD, np.float32)

    @functools.cached_property
    def actions(self) -> np.ndarray:
        """Actions taken, indices into the agent's action meanings: int64 [T]."""
        return self._column(schema.ACTION, np.int64)

    @functools.cached_property
    def lives(self) -> np.ndarray:
        """Lives before each action: int64 [T], 0 in a world without lives."""
        lives = self._optional(schema.LIVES)
        return np.zeros(len(self), np.int64) if lives is None else lives.astype(np.int64)

    @functools.cached_property
    def emulator_frames(self) -> np.ndarray:
        """The emulator's frame number at each decision: int64 [T]."""
        return self._column(schema.EMULATOR_FRAME, np.int64)

    @functools.cached_property
    def frames_advanced(self) -> np.ndarray:
        """Emulator frames that each decision took: int64 [T]."""
        return self._column(schema.FRAMES_ADVANCED, np.int64)

    @functools.cached_property
    def terminated(self) -> np.ndarray:
        """Whether the game ended with the step: bool [T]."""
        return self._column(schema.TERMINATED, np.bool_)

    @functools.cached_property
    def truncated(self) -> np.ndarray:
        """Whether the game was cut off after the step: bool [T]."""
        return self._column(schema.TRUNCATED, np.bool_)

    @functools.cached_property
    def stack_resets(self) -> np.ndarray:
        """Whether the frame stack was emptied before the step's plane came in: bool [T]."""
        return self._column(schema.STACK_RESET, np.bool_)

    @functools.cached_property
    def state_resets(self) -> np.ndarray:
        """Whether the recurrent state was reset before the step: bool [T]."""
        return self._column(schema.STATE_RESET, np.bool_)

    @functools.cached_property
    def logits(self) -> np.ndarray | None:
        """float32 [T, A], or None for a Q-network."""
        return self._optional(schema.LOGITS)

    @functools.cached_property
    def q_values(self) -> np.ndarray | None:
        """float32 [T, A], or None for an actor."""
        return self._optional(schema.Q_VALUES)

    @functools.cached_property
    def values(self) -> np.ndarray | None:
        """The critic's value: float32 [T], or None without one."""
        return self._optional(schema.VALUE)

    @property
    def quantiles(self) -> np.ndarray | None:
        """The distribution of the return by action: float32 [T, A, N], or None; read each time."""
        return self._optional(schema.QUANTILES)

    @property
    def states(self) -> np.ndarray | None:
        """Recurrent states before each step: float32 [T, S], or None without memory; read each
        time."""
        return self._optional(schema.STATE)

    @property
    def ram(self) -> np.ndarray:
        """The machine's RAM before each action: uint8 [T, 128]; read each time.

        Raises:
            InvalidArgument: a world without RAM.
        """
        if self._file.steps and not self._file.has(schema.RAM):
            raise InvalidArgument("this recording is of a world without RAM: expected an emulator.")
        return self._file.read(schema.RAM, self._start, self._stop)

    @property
    def told_by(self) -> str:
        """The column that tells the world's states apart: "ram" where there is RAM, else
        "fingerprint"."""
        return schema.RAM if self._file.has(schema.RAM) else schema.FINGERPRINT

    @property
    def fingerprints(self) -> np.ndarray:
        """What tells the world's state before each action from others: uint8 [T, N], the RAM where
        there is one; read each time."""
        return self._file.read(self.told_by, self._start, self._stop)

    @functools.cached_property
    def forced(self) -> tuple[np.ndarray, ...]:
        """Forced actions before each decision: int32 [n, 2] of (emulator action, frames) each."""
        return self._file.read_pairs(self._start, self._stop)

    @functools.cached_property
    def screens(self) -> Screens:
        """The last native screen at each decision."""
        return Screens(self._file, schema.SCREEN, self._start, self._stop, self._colours)

    @functools.cached_property
    def screens_before(self) -> Screens:
        """The screen that pooling pairs with it: one tick earlier, or the same."""
        pooled = self._file.has(schema.SCREEN_BEFORE)
        name = schema.SCREEN_BEFORE if pooled else schema.SCREEN
        return Screens(self._file, name, self._start, self._stop, self._colours)

    @functools.cached_property
    def planes(self) -> Planes:
        """The newest observation plane of each step, unscaled."""
        return Planes(self._file, schema.PLANE, self._start, self._stop)

    @functools.cached_property
    def observations(self) -> Observations:
        """What the network saw."""
        spec = self._header.agent.observation
        return Observations(self._file, self._start, self._stop, spec)

    def _column(self, name: str, dtype: type) -> np.ndarray:
        return self._file.read(name, self._start, self._stop).astype(dtype)

    def _optional(self, name: str) -> np.ndarray | None:
        if not self._file.has(name):
            return None
        return self._file.read(name, self._start, self._stop)
