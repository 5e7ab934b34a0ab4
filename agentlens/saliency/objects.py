"""Observations with objects erased, each at its own place in every frame of the stack.

Screens are edited before the agent's own preprocessing, so that a plane is what the agent would
have seen. Sets of objects are whole numbers: bit i stands for object i. No torch here.

Shape letters: F frames, N objects, C sets of objects, K planes, H W observation, Y X screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentlens.arrays import scale_planes, stack_planes
from agentlens.envs.atari.objects import RecordedObjects, ram_of
from agentlens.envs.preprocess import Preprocessor
from agentlens.errors import InvalidArgument, OutputMismatch
from agentlens.palette import Palette
from agentlens.store.recording import Episode, Recording

_KEPT_STEPS = 64
_EMULATOR_GREY = np.array([0.2989, 0.587, 0.114])
"""What ALE's own grey is of red, green and blue; planes are compared with the recorded ones, so a
cartridge where it were not would be refused."""

MOST_OBJECTS = 62
"""Sets of objects are bits of a 64-bit number."""


class ObjectEraser:
    """Erases groups of objects from a recording's screens and makes the planes again.

    Attributes:
        names: the groups that are erased together.

    Notes:
        A plane costs a label picture of two screens and one preprocessing a set of objects;
        the last steps are kept, so that neighbouring stacks share them.
    """

    def __init__(self, recording: Recording, objects: RecordedObjects) -> None:
        """Prepare for one recording.

        Raises:
            InvalidArgument: more groups than can be told apart.
        """
        self.names = objects.groups
        if len(self.names) > MOST_OBJECTS:
            raise InvalidArgument(f"{len(self.names)} objects: expected {MOST_OBJECTS} or fewer.")
        self._objects = objects
        group_of = [self.names.index(group) for group in objects.finder.groups]
        self._bit_of = np.array([0, *(1 << group for group in group_of)], np.int64)
        self._spec = recording.header.agent.observation
        grey = (recording.palette @ _EMULATOR_GREY + 0.5).astype(np.uint8)
        palette = Palette()
        palette.learn(np.arange(256, dtype=np.uint8)[None], recording.palette[None], grey[None])
        self._preprocessor = Preprocessor(self._spec, recording.header.screen_shape, palette)
        self._steps: dict[tuple[int, int], ErasableStep] = {}
        self._ram: dict[int, np.ndarray] = {}

    def frames(self, episode: Episode, steps: np.ndarray) -> ObjectFrames:
        """Steps of an episode (indices relative to it) whose objects can be erased."""
        return ObjectFrames(self, episode, np.asarray(steps))

    def step(self, episode: Episode, step: int) -> ErasableStep:
        """One decision's screens, labelled."""
        key = (episode.index, int(episode.steps[step]))
        if key not in self._steps:
            while len(self._steps) >= _KEPT_STEPS:
                self._steps.pop(next(iter(self._steps)))
            self._steps[key] = self._labelled(episode, step)
        return self._steps[key]

    def _labelled(self, episode: Episode, step: int) -> ErasableStep:
        finder, ram = self._objects.finder, self._memory(episode)[step]
        screens = (episode.screens.indices[step], episode.screens_before.indices[step])
        bits = tuple(self._bit_of[finder.labels(screen, ram)] for screen in screens)
        erasable = ErasableStep(
            screens, bits, episode.planes[step], self._objects.background, self._preprocessor
        )
        if not np.array_equal(self._preprocessor.plane(*screens), erasable.plane(0)):
            raise OutputMismatch(
                f"episode {episode.index}, step {episode.steps[step]}: the recorded plane cannot "
                "be made again from its screens, so nothing can be erased in it; record the "
                "agent again."
            )
        return erasable

    def _memory(self, episode: Episode) -> np.ndarray:
        """The RAM of an episode's steps, read once while it is the one that is worked on."""
        if id(episode) not in self._ram:
            self._ram = {id(episode): ram_of(episode)}
        return self._ram[id(episode)]

    def stack(self, episode: Episode, step: int, sets: Sequence[int]) -> np.ndarray:
        """One step's observation without each set of objects: float32 [C, K, H, W], scaled."""
        spec = self._spec
        first = max(0, step - spec.stack + 1)
        parts = [self.step(episode, at) for at in range(first, step + 1)]
        resets = episode.stack_resets[first : step + 1]
        stacks = [
            stack_planes(
                np.stack([part.plane(erased) for part in parts]),
                resets,
                spec.stack,
                spec.stack_fill,
            )[-1]
            for erased in sets
        ]
        return scale_planes(np.stack(stacks), spec.scale_divisor)

    def visible(self, episode: Episode, step: int) -> int:
        """The set of objects with a pixel in any frame of a step's stack."""
        seen = 0
        for at in range(max(0, step - self._spec.stack + 1), step + 1):
            if episode.stack_resets[at]:
                seen = 0
            seen |= self.step(episode, at).visible
        return seen


class ObjectFrames:
    """Steps of one episode; an ``ErasableFrames``."""

    def __init__(self, eraser: ObjectEraser, episode: Episode, steps: np.ndarray) -> None:
        self._eraser, self._episode, self._steps = eraser, episode, steps
        self.names = eraser.names

    def __getitem__(self, frames: slice | np.ndarray) -> ObjectFrames:
        return ObjectFrames(self._eraser, self._episode, self._steps[frames])

    @property
    def visible(self) -> np.ndarray:
        """See ``ErasableFrames``."""
        seen = [self._eraser.visible(self._episode, int(step)) for step in self._steps]
        bits = np.array(seen, np.int64)[:, None] >> np.arange(len(self.names)) & 1
        return bits.astype(np.bool_)

    def erased(self, frame: int, sets: Sequence[int]) -> np.ndarray:
        """See ``ErasableFrames``."""
        return self._eraser.stack(self._episode, int(self._steps[frame]), sets)


class ErasableStep:
    """One decision: its two screens, which group's every pixel is, and planes made so far."""

    def __init__(
        self,
        screens: tuple[np.ndarray, np.ndarray],
        bits: tuple[np.ndarray, ...],
        plane: np.ndarray,
        background: np.ndarray,
        preprocessor: Preprocessor,
    ) -> None:
        self.screens, self.bits, self.background = screens, bits, background
        self.recorded = plane
        self.visible = int(np.bitwise_or.reduce(np.concatenate([b.ravel() for b in bits])))
        self._preprocessor = preprocessor
        self._planes = {0: plane}

    def plane(self, erased: int) -> np.ndarray:
        """The plane without a set of objects; the recorded one where none of them is seen."""
        erased &= self.visible
        if erased not in self._planes:
            edited = [
                np.where(bits & erased != 0, self.background, screen)
                for screen, bits in zip(self.screens, self.bits, strict=True)
            ]
            self._planes[erased] = self._preprocessor.plane(edited[0], edited[1])
        return self._planes[erased]

    def without(self, hidden: tuple[np.ndarray, np.ndarray]) -> np.ndarray | None:
        """The plane with the background at some pixels of each screen, or None where that is as
        it was.

        Args:
            hidden: for the last screen and the one before, flat indices of pixels.
        """
        flat = self.background.ravel()
        screens = [screen.ravel() for screen in self.screens]
        if not any((s[at] != flat[at]).any() for s, at in zip(screens, hidden, strict=True)):
            return None
        edited = [screen.copy() for screen in screens]
        for screen, pixels in zip(edited, hidden, strict=True):
            screen[pixels] = flat[pixels]
        last, before = (screen.reshape(self.background.shape) for screen in edited)
        return self._preprocessor.plane(last, before)
