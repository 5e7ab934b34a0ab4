"""A game drawn while it is played: contexts made one by one, with scales that settle at the start.

What :class:`agentlens.drawing.film.Film` is for a recording, :class:`LiveFilm` is for a game
whose end nobody knows yet.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass

import numpy as np

from agentlens.drawing import caption
from agentlens.drawing.context import Choices, Curve, FrameContext, Layer, Scene
from agentlens.drawing.scale import Scale, scale_from
from agentlens.drawing.scene import (
    choices_of,
    control_of,
    drawn_targets,
    magnitude_curve,
    make_scene,
    own_curves,
)
from agentlens.drawing.screens import as_bytes, usual
from agentlens.drawing.theme import THEMES
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND
from agentlens.errors import InvalidArgument
from agentlens.spec import TargetInfo
from agentlens.store.maps import MapHeader
from agentlens.store.recording import RecordingHeader, StepRow

WARM_UP = 60
"""Decisions after which the scales are fixed: four seconds at a frame skip of 4."""

_SAMPLES, _SAMPLE_EVERY = 15, 8
"""The background is what most of so many screens show, taken every so many decisions."""

WINDOW = 225
"""Decisions that the curves show: the last fifteen seconds at a frame skip of 4."""


class RunningScale:
    """A display scale that follows the first maps of a game and is fixed from then on.

    It is fixed once ``warm_up`` maps were seen and one of them rises above the target's noise
    floor; larger values after that are drawn at full heat, as the colour bar says.
    """

    def __init__(self, target: TargetInfo, warm_up: int) -> None:
        self._target, self._warm_up = target, warm_up
        self._maxima: list[float] = []
        self.scale = Scale(target=target, limit=0.0)
        self.settled = False

    def see(self, largest: float) -> Scale:
        """Take in one map and give the scale to draw it with.

        Args:
            largest: the map's largest magnitude, raw.
        """
        if not self.settled:
            self._maxima.append(largest)
            self.scale = scale_from(self._target, np.array(self._maxima, np.float32))
            self.settled = len(self._maxima) >= self._warm_up and self.scale.limit > 0.0
        return self.scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Decision:
    """One decision as it was just played and explained.

    ``screen``: uint8 [Y, X, 3], as the agent sees it (``screens.pooled``). ``maps``: raw values,
    float32 [targets, planes, gy, gx]. ``explained``: index of the explained action.
    """

    row: StepRow
    screen: np.ndarray
    maps: np.ndarray
    explained: int


class LiveFilm:
    """Makes contexts of the decisions of one game, in their order.

    Holds the screens of one frame stack and the curves of ``WINDOW`` decisions.

    Args:
        recording: what a recording of this game would say of agent and protocol.
        maps: what a map set of it would say of its maps.
        theme: "dark", "light" or "print".
        warm_up: decisions after which the display scales are fixed, ``WARM_UP`` if not given; see
            ``RunningScale``.

    Attributes:
        scene: what holds before the first decision; pages are arranged by it.

    Raises:
        InvalidArgument: a warm-up below 1.
    """

    def __init__(
        self,
        recording: RecordingHeader,
        maps: MapHeader,
        *,
        theme: str = "dark",
        warm_up: int | None = None,
    ) -> None:
        warm_up = WARM_UP if warm_up is None else warm_up
        if warm_up < 1:
            raise InvalidArgument(f"a warm-up of {warm_up} decisions: expected 1 or more.")
        agent = recording.agent
        self._warm_up, self._targets = warm_up, [t.name for t in maps.targets]
        self._drawn = drawn_targets(maps)
        self._control = control_of(maps, self._drawn)
        followed = (*self._drawn, *(() if self._control is None else (self._control,)))
        self._scales = {info.name: RunningScale(info, warm_up) for info in followed}
        self._planes: deque[np.ndarray | None] = deque(maxlen=agent.observation.stack)
        self._samples: deque[np.ndarray] = deque(maxlen=_SAMPLES)
        self._background: np.ndarray | None = None
        self._fill_with_zeros = agent.observation.stack_fill == "zeros"
        self._agent = agent
        self._history: deque[list[float]] = deque(maxlen=WINDOW)
        self._step, self._total = 0, 0.0
        self._q_range: np.ndarray | None = None
        self.scene = make_scene(
            recording,
            maps,
            theme=THEMES[theme],
            layers=self._layers(),
            control=self._control_layer(),
            choices=choices_of(agent, None),
            curves=(),
            frames=WINDOW,
        )

    def context(self, decision: Decision) -> FrameContext:
        """What panels look at for the next decision of the game."""
        row = decision.row
        drawn = {name: decision.maps[self._targets.index(name)] for name in self._scales}
        maxima = {name: float(np.abs(values).max()) for name, values in drawn.items()}
        for name, running in self._scales.items():
            running.see(maxima[name])
        largest = [maxima[info.name] for info in self._drawn]
        outputs = row.q_values if row.logits is None else row.logits
        assert outputs is not None, "checked by evaluate"
        self._keep_screen(decision)
        worth = _worth(row)
        self._history.append([*([] if worth is None else [worth[1]]), self._total, *largest])
        choices = self._choices(row)
        context = FrameContext(
            scene=self._scene(choices, None if worth is None else worth[0]),
            frame=len(self._history) - 1,
            step=self._step,
            seconds=row.emulator_frame / EMULATOR_FRAMES_PER_SECOND,
            screen=decision.screen,
            background=self._background,
            planes=tuple(self._planes),
            maps=drawn,
            outputs=outputs,
            action=row.action,
            explained_action=decision.explained
            if any(caption.explains_action(info) for info in self._drawn)
            else None,
            total_reward=self._total,
            lives=row.lives or 0,
        )
        self._step += 1
        self._total += row.reward
        return context

    def _keep_screen(self, decision: Decision) -> None:
        """Slide the frame stack, or begin a new one as the agent's own stack does."""
        depth, plane = self._agent.observation.stack, as_bytes(decision.row.plane)
        if decision.row.stack_reset or not self._planes:
            self._planes.extend([None if self._fill_with_zeros else plane] * depth)
        self._planes.append(plane)
        if self._step % _SAMPLE_EVERY == 0:
            self._samples.append(decision.screen)
            self._background = usual(np.stack(self._samples))

    def _choices(self, row: StepRow) -> Choices:
        """The action bars; those of Q-values reach as far as the warm-up has."""
        if row.q_values is None:
            return self.scene.choices
        if self._q_range is None or self._step < self._warm_up:
            seen = row.q_values if self._q_range is None else np.append(self._q_range, row.q_values)
            self._q_range = np.array([seen.min(), seen.max()])
        return choices_of(self._agent, self._q_range)

    def _scene(self, choices: Choices, worth: str | None) -> Scene:
        note = f"scale of the first {self._warm_up} steps"
        if self._step + 1 < self._warm_up:
            note = f"scale settling: step {self._step + 1} of {self._warm_up}"
        elif not all(self._scales[info.name].settled for info in self._drawn):
            note = "scale waits for a map above rounding"
        return dataclasses.replace(
            self.scene,
            method=caption.joined(note, self.scene.method),
            layers=self._layers(),
            control=self._control_layer(),
            choices=choices,
            curves=self._curves(worth),
        )

    def _layers(self) -> tuple[Layer, ...]:
        return tuple(
            Layer(target=info, scale=self._scales[info.name].scale) for info in self._drawn
        )

    def _control_layer(self) -> Layer | None:
        control = self._control
        if control is None:
            return None
        return Layer(target=control, scale=self._scales[control.name].scale)

    def _curves(self, worth: str | None) -> tuple[Curve, ...]:
        """The last ``WINDOW`` decisions; what is still to come is left empty."""
        values = np.full((WINDOW, len(self._history[0])), np.nan, np.float32)
        values[: len(self._history)] = self._history
        *worths, totals = values.T.copy()[: len(self._history[0]) - len(self._drawn)]
        own = own_curves(worth or "", worths[0] if worths else None, totals)
        maxima = values.T[-len(self._drawn) :].copy()
        magnitudes = [magnitude_curve(*pair) for pair in zip(self._drawn, maxima, strict=True)]
        return (*own, *magnitudes)


def _worth(row: StepRow) -> tuple[str, float] | None:
    """What the agent expects, with its name: the critic's value or the largest Q-value."""
    if row.value is not None:
        return "value", row.value
    return None if row.q_values is None else ("max Q", float(row.q_values.max()))
