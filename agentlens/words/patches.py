"""The control of a causal claim: the same number of pixels, erased elsewhere.

Shape letters: P patches, K planes, H W observation, Y X screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agentlens.arrays import scale_planes, stack_planes
from agentlens.saliency.objects import ErasableStep, ObjectEraser
from agentlens.spec import AgentSpec
from agentlens.store.recording import Episode

_KEPT_STEPS = 64


class PatchEraser:
    """Erases patches that have an object's own shape, moved by random distances.

    The distances are drawn once and hold for all steps, so that the patches of neighbouring
    stacks share their planes. They go around at the edges of what the agent sees, and leave the
    object's own pixels where they are.
    """

    def __init__(
        self,
        eraser: ObjectEraser,
        spec: AgentSpec,
        screen_shape: tuple[int, int],
        *,
        patches: int,
        seed: int,
    ) -> None:
        self._eraser, self._spec = eraser, spec.observation
        top, bottom, left, right = spec.observation.screen_rectangle(screen_shape)
        self._corner, self._size = (top, left), (bottom - top, right - left)
        self._columns = screen_shape[1]
        rng = np.random.default_rng([seed, patches])
        self._shifts = [
            (int(rng.integers(self._size[0])), int(rng.integers(self._size[1])))
            for _ in range(patches)
        ]
        self._planes: dict[tuple[int, int, int], list[np.ndarray | None]] = {}

    def observations(self, episode: Episode, step: int, erased: int) -> np.ndarray:
        """What the agent would see with each patch hidden.

        Args:
            episode: of the recording.
            step: index within it.
            erased: the set of objects (bits) whose shape the patches have.

        Returns:
            float32 [1 + n, K, H, W]: the observation itself, then those of the n patches that
            change it; the others, up to the number of patches, leave it as it is.
        """
        spec = self._spec
        first = max(0, step - spec.stack + 1)
        span = range(first, step + 1)
        steps = [self._eraser.step(episode, at) for at in span]
        resets = episode.stack_resets[first : step + 1]
        moved = [
            self._moved((episode.index, int(episode.steps[at]), erased), part)
            for at, part in zip(span, steps, strict=True)
        ]
        recorded = [part.recorded for part in steps]
        stacks = [recorded]
        for patch in range(len(self._shifts)):
            planes = [column[patch] for column in moved]
            if any(plane is not None for plane in planes):
                stacks.append(
                    [
                        own if plane is None else plane
                        for plane, own in zip(planes, recorded, strict=True)
                    ]
                )
        return self._stacked(stacks, resets)

    def _stacked(self, stacks: Sequence[Sequence[np.ndarray]], resets: np.ndarray) -> np.ndarray:
        spec = self._spec
        whole = [
            stack_planes(np.stack(planes), resets, spec.stack, spec.stack_fill)[-1]
            for planes in stacks
        ]
        return scale_planes(np.stack(whole), spec.scale_divisor)

    def _moved(self, key: tuple[int, int, int], step: ErasableStep) -> list[np.ndarray | None]:
        """The plane with each patch hidden, None where it is as recorded.

        Args:
            key: episode, step number and the set of objects whose shape the patches have.
            step: that decision.
        """
        if key not in self._planes:
            while len(self._planes) > _KEPT_STEPS:
                self._planes.pop(next(iter(self._planes)))
            places = [np.nonzero(bits & key[2]) for bits in step.bits]
            own = [(bits & key[2] != 0).ravel() for bits in step.bits]
            self._planes[key] = [
                step.without(
                    (
                        self._shifted(places[0], own[0], shift),
                        self._shifted(places[1], own[1], shift),
                    )
                )
                for shift in self._shifts
            ]
        return self._planes[key]

    def _shifted(
        self, places: tuple[np.ndarray, ...], own: np.ndarray, shift: tuple[int, int]
    ) -> np.ndarray:
        """Flat indices of an object's pixels, moved, without those that are its own."""
        moved = [
            corner + (place - corner + by) % size
            for place, corner, by, size in zip(places, self._corner, shift, self._size, strict=True)
        ]
        flat = moved[0] * self._columns + moved[1]
        elsewhere: np.ndarray = flat[~own[flat]]
        return elsewhere
