"""Attributes, effects and sentences of a recording's steps.

An object is cited only if erasing it changes the policy more than the ``percentile`` of patches
of its own shape erased elsewhere at that step, and by at least ``floor``. Shape letters: T steps,
G groups of objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from agentlens.envs.alike import merge_groups
from agentlens.envs.atari.objects import GameObjects, boxes_of, objects_of, ram_of, recorded_objects
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.checks import check_outputs
from agentlens.saliency.engine.settings import device_of
from agentlens.saliency.object_effects import POLICY, ObjectEffects, ObjectGame
from agentlens.saliency.objects import ObjectEraser
from agentlens.saliency.question import Question
from agentlens.store.recording import Episode, Recording
from agentlens.words.attributes import Attributes, attributes_of
from agentlens.words.patches import PatchEraser
from agentlens.words.sentences import Choice, ObjectClause, sentence

_BLOCK = 32
_LEAST = 1e-12
"""Below this an effect is rounding whatever the floor."""


@dataclass(frozen=True, kw_only=True)
class DescribeOptions:
    """How effects are measured and when an object is cited.

    ``floor``: the least effect that counts, nats (of Q-values: their unit). ``patches``: random
    patches an object and step. ``percentile``: of their effects that an object's own must exceed.
    ``seed``: of patches and sampled orders. ``shares``: Shapley values, too. ``orders``: for
    those of more than eight objects in sight. ``merge_actions``: actions that do the same are one.
    ``pairs``: which attributes work together, too. ``decided``: the agent is decided at a step
    where the (merged) action that it prefers has at least this probability. ``units``: name the
    units that fire, too, of those that ``dissect`` named.
    """

    floor: float = 0.01
    patches: int = 40
    percentile: float = 95.0
    seed: int = 0
    shares: bool = True
    orders: int = 16
    merge_actions: bool = True
    pairs: bool = False
    decided: float = 0.9
    units: bool = False

    def __post_init__(self) -> None:
        if self.patches < 1 or not 0 <= self.percentile <= 100 or self.floor < 0:
            raise InvalidArgument(
                f"{self.patches} patches, percentile {self.percentile}, floor {self.floor}: "
                "expected 1 or more, 0 to 100, and 0 or more."
            )
        if not 0 < self.decided <= 1:
            raise InvalidArgument(f"decided from {self.decided}: expected a probability above 0.")


DEFAULTS = DescribeOptions()
"""Effects in nats above 0.01, forty patches, Shapley values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Description:
    """T described steps of one episode.

    ``steps``: int64 [T]. ``sentences``: one a step. ``attributes``, ``effects``: of the groups.
    ``effect``: float64 [T, G], what decides whether an object is cited. ``threshold``: float64
    [T, G], the percentile of the patches, NaN where the effect is below the floor and none were
    tried. ``cited``: bool [T, G]. ``decided``: bool [T], whether the agent was at this step; False
    for Q-values, which say no probability.
    """

    episode: int
    steps: np.ndarray
    sentences: tuple[str, ...]
    attributes: Attributes
    effects: ObjectEffects
    effect: np.ndarray
    threshold: np.ndarray
    cited: np.ndarray
    decided: np.ndarray


class Describer:
    """Describes steps of one recording.

    Attributes:
        score: what decides whether an object is cited: "kl" of logits, "gap" of Q-values.
        own: the group that the agent moves, "" where the game has no facts.
        groups: actions that do the same, as indices into the policy's outputs.
        by: "facts" or "colour", how objects are found.

    Notes:
        Up to 2^G forward passes a step with shares, G + 1 without; and one for each patch that
        changes the observation, of objects above the floor alone.
    """

    def __init__(
        self,
        recording: Recording,
        agent: Agent,
        options: DescribeOptions = DEFAULTS,
        facts: GameObjects | None = None,
    ) -> None:
        """Prepare for one recording.

        Args:
            recording: what is described.
            agent: that played it.
            options: how effects are measured and when an object is cited.
            facts: of a world that has no file of them; the game's own if not given.

        Raises:
            InvalidArgument: the recording holds no step, or its screens are in colour.
        """
        header = recording.header
        self._recording, self._policy, self._options = recording, agent.policy, options
        recorded = objects_of(recording) if facts is None else recorded_objects(recording, facts)
        self._objects = recorded
        self._eraser = ObjectEraser(recording, self._objects)
        self._patches = PatchEraser(
            self._eraser,
            header.agent,
            header.screen_shape,
            patches=options.patches,
            seed=options.seed,
        )
        meanings = header.agent.action.meanings
        self.groups: tuple[tuple[int, ...], ...] = tuple((index,) for index in range(len(meanings)))
        if options.merge_actions:
            self.groups = merge_groups(header.agent.environment.game, meanings)
        self.score = "kl" if agent.policy.kind == "logits" else "gap"
        outputs: tuple[str, ...] = ()
        if options.shares:
            outputs = (POLICY, "log_probability") if self.score == "kl" else ("gap",)
            outputs += ("value",)
        if "value" in outputs and self.score == "kl" and not agent.policy.has_value:
            outputs = outputs[:-1]
        self._game = ObjectGame(
            policy=agent.policy,
            question=Question(policy=agent.policy, groups=self.groups),
            scores=(self.score,),
            outputs=outputs,
            orders=options.orders,
            seed=options.seed,
        )
        facts = recorded.facts
        self.own = facts.own if facts else ""
        self.threats = facts.threats if facts else ()
        self._axis = facts.axis if facts else ""
        self.by = "facts" if facts else "colour"
        self.names = self._eraser.names

    def describe(self, episode: Episode, start: int, stop: int) -> Iterator[Description]:
        """Describe neighbouring steps, in blocks of 32.

        Raises:
            OutputMismatch: recomputed outputs are not the recorded ones.
        """
        for first in range(start, stop, _BLOCK):
            yield self._block(episode, np.arange(first, min(first + _BLOCK, stop)))

    def _block(self, episode: Episode, steps: np.ndarray) -> Description:
        frames = self._frames(episode, steps)
        effects = self._game(frames, self._eraser.frames(episode, steps))
        self._check(episode, steps, effects)
        effect = np.abs(effects.erasure[self.score])
        threshold = np.full(effect.shape, np.nan)
        for frame, group in np.argwhere(effect >= max(self._options.floor, _LEAST)):
            threshold[frame, group] = self._threshold(frames, episode, int(frame), int(group))
        with np.errstate(invalid="ignore"):
            cited = effect > threshold
        attributes = self._attributes(episode, steps)
        return Description(
            episode=episode.index,
            steps=episode.steps[steps],
            sentences=tuple(
                self._sentence(row, effects, attributes, effect, cited) for row in range(len(steps))
            ),
            attributes=attributes,
            effects=effects,
            effect=effect,
            threshold=threshold,
            cited=cited,
            decided=self._decided(effects),
        )

    def _frames(self, episode: Episode, steps: np.ndarray) -> FrameBatch:
        device, states = device_of(self._policy), episode.states
        observations = episode.observations[int(steps[0]) : int(steps[-1]) + 1]
        return FrameBatch(
            observations=torch.from_numpy(observations).to(device),
            actions=torch.from_numpy(episode.actions[steps]).to(device),
            states=None if states is None else torch.from_numpy(states[steps]).to(device),
            episodes=np.full(len(steps), episode.index),
            steps=steps,
        )

    def _check(self, episode: Episode, steps: np.ndarray, effects: ObjectEffects) -> None:
        kind = self._policy.kind
        recorded = episode.logits if kind == "logits" else episode.q_values
        rows: dict[str, np.ndarray | None] = {kind: None if recorded is None else recorded[steps]}
        check_outputs(episode.index, steps, {kind: torch.from_numpy(effects.preferences)}, rows)

    def _threshold(self, frames: FrameBatch, episode: Episode, frame: int, group: int) -> float:
        """The percentile of the effects of patches of an object's shape."""
        step = int(frames.steps[frame])
        changed = self._patches.observations(episode, step, 1 << group)
        scores = np.zeros(self._options.patches)
        if len(changed) > 1:
            changes, _ = self._game.score_changes(frames, frame, changed)
            scores[: len(changed) - 1] = np.abs(changes[self.score])
        return float(np.quantile(scores, self._options.percentile / 100, method="higher"))

    def _attributes(self, episode: Episode, steps: np.ndarray) -> Attributes:
        """Attributes of the steps; the step before them is looked at for the changes."""
        first, stop = int(steps[0]), int(steps[-1]) + 1
        before = min(first, 1)
        screens = episode.screens.indices[first - before : stop]
        boxes = boxes_of(screens, ram_of(episode)[first - before : stop], self._objects.finder)
        whole = attributes_of(boxes, self.own)
        return whole.after(before)

    def _sentence(
        self,
        row: int,
        effects: ObjectEffects,
        attributes: Attributes,
        effect: np.ndarray,
        cited: np.ndarray,
    ) -> str:
        clauses = [
            ObjectClause(
                name=name,
                is_own=name == self.own,
                effect=float(effect[row, group]),
                cited=bool(cited[row, group]),
                present=bool(attributes.present[row, group]),
                gap_y=float(attributes.gap_y[row, group]),
                gap_x=float(attributes.gap_x[row, group]),
                dy=float(attributes.dy[row, group]),
                dx=float(attributes.dx[row, group]),
                approaching=float(attributes.approaching[row, group])
                if name in self.threats
                else float("nan"),
            )
            for group, name in enumerate(self.names)
            if effects.visible[row, group]
        ]
        return sentence(self._choice(effects, row), clauses)

    def _decided(self, effects: ObjectEffects) -> np.ndarray:
        """Whether one merged action has the wanted probability: bool [T]."""
        if self.score != "kl":
            return np.zeros(len(effects.preferences), np.bool_)
        chances = [_probability(effects.preferences, members) for members in self.groups]
        decided: np.ndarray = np.max(chances, axis=0) >= self._options.decided
        return decided

    def _choice(self, effects: ObjectEffects, row: int) -> Choice:
        members = next(g for g in self.groups if int(effects.explained[row]) in g)
        meanings = self._recording.header.agent.action.meanings
        probability = None
        if self.score == "kl":
            probability = float(_probability(effects.preferences[row], members))
        action = " / ".join(meanings[index] for index in members)
        return Choice(action=action, probability=probability, own=self.own, axis=self._axis)


def _probability(logits: np.ndarray, members: tuple[int, ...]) -> np.ndarray:
    """Of any of some actions: float64 [...], from logits [..., A]."""
    wide = logits.astype(np.float64)
    weights = np.exp(wide - wide.max(-1, keepdims=True))
    probability: np.ndarray = weights[..., list(members)].sum(-1) / weights.sum(-1)
    return probability
