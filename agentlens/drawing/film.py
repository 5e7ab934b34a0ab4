"""A recording and its maps as panels look at them: the scene, then one context a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from agentlens.arrays import check_whole
from agentlens.drawing.caption import explains_action
from agentlens.drawing.context import Curve, FrameContext, Layer, Scene
from agentlens.drawing.notes import StepNotes
from agentlens.drawing.scale import Scale, frame_maxima, scale_from
from agentlens.drawing.scene import (
    choices_of,
    control_of,
    drawn_targets,
    magnitude_curve,
    make_scene,
    own_curves,
)
from agentlens.drawing.screens import SeenScreens
from agentlens.drawing.theme import THEMES, Theme
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND
from agentlens.errors import InvalidArgument
from agentlens.spec import TargetInfo
from agentlens.store.map_set import MapSet, check_same_episode
from agentlens.store.measures import badges_of
from agentlens.store.recording import Episode, Recording


class Film:
    """The drawn steps of one episode: a scene, and contexts made one by one.

    Holds the curves of the drawn steps (a few numbers each) and two blocks of screens, whatever
    the episode's length.

    Args:
        recording: an open recording.
        maps: its map set, or None for the game alone.
        steps: a slice or a list of step numbers; None for the explained steps, or for all
            without maps.
        episode: index of the episode.
        targets: names of the maps' targets to draw, in this order; None for one of the choice of
            action and one of the critic.
        scales: display scales by target, to share them with another video; those not given are
            made from the drawn steps.
        theme: "dark", "light" or "print".

    Raises:
        InvalidArgument: no such episode or step, no step at all, or maps of something else.
        UnknownName: the maps have no such target.
    """

    def __init__(
        self,
        recording: Recording,
        maps: MapSet | None,
        *,
        steps: slice | Sequence[int] | None = None,
        episode: int = 0,
        targets: Sequence[str] | None = None,
        scales: Mapping[str, Scale] | None = None,
        theme: str = "dark",
    ) -> None:
        self._episode = _episode_of(recording, episode)
        self._maps = maps
        self._targets = drawn_targets(None if maps is None else maps.header, targets)
        self._rows = {} if maps is None else _rows_of(maps, self._episode, episode)
        self.steps = _chosen_steps(len(self._episode), self._rows if maps else None, steps)
        outputs = self._episode.logits
        outputs = self._episode.q_values if outputs is None else outputs
        if outputs is None:
            raise InvalidArgument("the recording holds neither logits nor Q-values.")
        self._outputs = outputs
        rewards = np.asarray(self._episode.rewards, np.float64)
        self._totals = np.concatenate([[0.0], np.cumsum(rewards)])[:-1]
        resets = np.asarray(self._episode.stack_resets)
        self._stack_starts = np.maximum.accumulate(np.where(resets, np.arange(len(resets)), 0))
        self._stack = recording.header.agent.observation
        self._screens = SeenScreens(self._episode, self._stack.pool)
        self._notes = StepNotes(recording, episode)
        self.scene = replace(
            self._make_scene(recording, scales or {}, THEMES[theme]),
            has_boxes=self._notes.has_boxes,
            has_captions=self._notes.has_captions,
            numbers=self._notes.numbers(self._episode.steps[self.steps]),
            badges=None if maps is None else badges_of(maps.folder),
        )

    def __len__(self) -> int:
        return len(self.steps)

    def ticks(self, frame: int) -> int:
        """Emulator frames that a picture stands for: how long it is shown in real time."""
        return max(1, int(self._episode.frames_advanced[self.steps[frame]]))

    def contexts(self, frames: Sequence[int] | None = None) -> Iterator[FrameContext]:
        """Contexts of the given pictures (all of them if not given), in order, one at a time."""
        for frame in range(len(self)) if frames is None else frames:
            yield self.context(frame)

    def context(self, frame: int) -> FrameContext:
        """The context of one picture."""
        step = self.steps[frame]
        episode = self._episode
        row = self._rows.get(step)
        maps = {}
        explained = None
        if self._maps is not None and row is not None:
            control = () if self.scene.control is None else (self.scene.control,)
            for layer in (*self.scene.layers, *control):
                index = self._maps.targets.index(layer.target.name)
                maps[layer.target.name] = self._maps.values[row, index]
            if any(explains_action(layer.target) for layer in self.scene.layers):
                explained = int(self._maps.explained_actions[row])
        return FrameContext(
            scene=self.scene,
            frame=frame,
            step=step,
            seconds=float(episode.emulator_frames[step]) / EMULATOR_FRAMES_PER_SECOND,
            screen=self._screens.screen(step),
            background=self._screens.background(step),
            planes=self._planes(step),
            maps=maps,
            outputs=np.asarray(self._outputs[step]),
            action=int(episode.actions[step]),
            explained_action=explained,
            total_reward=float(self._totals[step]),
            lives=int(episode.lives[step]),
            boxes=self._notes.boxes(step),
            caption=self._notes.caption(step),
        )

    def _planes(self, step: int) -> tuple[np.ndarray | None, ...]:
        depth, start = self._stack.stack, int(self._stack_starts[step])
        places = range(step - depth + 1, step + 1)
        empty = self._stack.stack_fill == "zeros"
        return tuple(
            None if place < start and empty else self._screens.plane(max(place, start))
            for place in places
        )

    def _make_scene(self, recording: Recording, scales: Mapping[str, Scale], theme: Theme) -> Scene:
        header, maps = recording.header, self._maps
        drawn_rows = np.array([self._rows[s] for s in self.steps if s in self._rows], np.int64)
        layers, magnitudes, control_layer = [], [], None
        for info in self._targets:
            assert maps is not None
            maxima = frame_maxima(maps, info.name, drawn_rows)
            layers.append(_layer(maps, info, maxima, scales))
            values = np.full(len(self.steps), np.nan, np.float32)
            values[[i for i, s in enumerate(self.steps) if s in self._rows]] = maxima
            magnitudes.append(magnitude_curve(info, values))
        control = control_of(None if maps is None else maps.header, self._targets)
        if maps is not None and control is not None:
            maxima = frame_maxima(maps, control.name, drawn_rows)
            control_layer = _layer(maps, control, maxima, scales)
        q_values = None if self._episode.logits is not None else self._outputs[self.steps]
        return make_scene(
            header,
            None if maps is None else maps.header,
            theme=theme,
            layers=tuple(layer for layer in layers if layer is not None),
            control=control_layer,
            choices=choices_of(header.agent, q_values),
            curves=(*self._own_curves(), *magnitudes),
            frames=len(self.steps),
        )

    def _own_curves(self) -> tuple[Curve, ...]:
        values, q_values = self._episode.values, self._episode.q_values
        name = "value"
        if values is None and q_values is not None:
            values, name = q_values.max(axis=1), "max Q"
        worth = None if values is None else np.asarray(values)[self.steps]
        return own_curves(name, worth, self._totals[self.steps])


def _layer(
    maps: MapSet, info: TargetInfo, maxima: np.ndarray, scales: Mapping[str, Scale]
) -> Layer | None:
    """A target as it is drawn; None for one number a step, which is a curve and not a map."""
    if maps.grid.shape == (1, 1):
        return None
    return Layer(target=info, scale=scales.get(info.name) or scale_from(info, maxima))


def _episode_of(recording: Recording, episode: int) -> Episode:
    count = len(recording.episodes)
    if not 0 <= episode < count:
        raise InvalidArgument(
            f"episode {episode}: the recording has {count}"
            + (f", numbered 0 to {count - 1}." if count else "; record one first.")
        )
    chosen = recording.episodes[episode]
    if len(chosen) == 0:
        raise InvalidArgument(f"episode {episode} holds no step.")
    return chosen


def _rows_of(maps: MapSet, episode: Episode, index: int) -> dict[int, int]:
    """Row of the map set by step, for one episode."""
    rows = np.flatnonzero(maps.episodes == index)
    if len(rows) == 0:
        there = ", ".join(str(e) for e in np.unique(maps.episodes)) or "none"
        raise InvalidArgument(f"the maps explain episode {there}, not episode {index}.")
    check_same_episode(maps, episode)
    return dict(zip(maps.steps[rows].tolist(), rows.tolist(), strict=True))


def _chosen_steps(
    length: int, explained: Mapping[int, int] | None, steps: slice | Sequence[int] | None
) -> list[int]:
    if steps is None:
        chosen = sorted(explained) if explained is not None else list(range(length))
    elif isinstance(steps, slice):
        chosen = list(range(length)[steps])
    else:
        check_whole("step", steps)
        chosen = [int(s) for s in steps]
    for step in chosen:
        if not 0 <= step < length:
            raise InvalidArgument(f"step {step}: the episode has steps 0 to {length - 1}.")
    if not chosen:
        raise InvalidArgument(f"no step is chosen: the episode has steps 0 to {length - 1}.")
    return chosen
