"""The steps of an episode worth looking at, found in what was recorded: no maps are needed.

Shape letter: T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from agentlens.drawing.context import Curve
from agentlens.drawing.notes import StepNotes
from agentlens.drawing.screens import BLOCK
from agentlens.drawing.video import EMULATOR_FRAMES_PER_SECOND
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.store.recording import Episode, Recording

APART = 15
"""Steps between two moments of one kind, so that no event is shown twice."""
LEAST_STUCK = 30
"""Steps with the same observation that count as stuck: two seconds at a frame skip of 4."""


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step worth looking at.

    ``amount``: how much, in the unit of its kind (see ``describe_kind``). ``seconds``: game time.
    """

    kind: str
    episode: int
    step: int
    seconds: float
    amount: float


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of moment: what it is, the unit of its amount, and the amount of each step.

    ``amounts`` gives float64 [T], 0 or less for steps that are none.
    """

    meaning: str
    unit: str
    amounts: Callable[[Episode], np.ndarray]


def find_moments(
    episode: Episode,
    kinds: Sequence[str] | None = None,
    most: int = 3,
    numbers: Sequence[Curve] = (),
) -> tuple[Moment, ...]:
    """The largest moments of each kind, largest first.

    Args:
        episode: a whole recorded episode.
        kinds: names out of ``KINDS``, or of ``numbers``; all of ``KINDS`` if not given.
        most: of each kind.
        numbers: of the episode, a value a step (see ``episode_numbers``): a moment is where one is
            largest, of those above 0.

    Raises:
        UnknownName: no such kind.
    """
    curves = {curve.name: np.nan_to_num(curve.values.astype(np.float64)) for curve in numbers}
    chosen = []
    for name in KINDS if kinds is None else kinds:
        if name not in KINDS and name not in curves:
            raise UnknownName(
                "kind of moment", name, [*KINDS, *curves], hint="agentlens excite adds its unit's."
            )
        amounts = KINDS[name].amounts(episode) if name in KINDS else curves[name]
        chosen += [_moment(name, episode, step, amounts) for step in _largest(amounts, most)]
    return tuple(chosen)


def episode_numbers(recording: Recording, episode: Episode) -> tuple[Curve, ...]:
    """The numbers of each step that are stored beside a recording: units that were excited, their
    layers' energies, concepts.

    Raises:
        InvalidArgument: a table of another recording.
        Corrupt: a table that cannot be read.
    """
    return StepNotes(recording, episode.index).numbers(np.arange(len(episode)))


def describe_kind(kind: str) -> tuple[str, str]:
    """The meaning of a kind of moment or of a number as one, and the unit of its amount."""
    if kind in KINDS:
        return KINDS[kind].meaning, KINDS[kind].unit
    return "this number, stored beside the recording, is largest", ""


def span_around(episode: Episode, step: int, seconds: float) -> slice:
    """The steps within so many seconds of game time, half of them before ``step``.

    Raises:
        InvalidArgument: no time at all.
    """
    if not seconds > 0:
        raise InvalidArgument(f"{seconds:g} seconds: expected more than 0.")
    frames = np.asarray(episode.emulator_frames, np.int64)
    reach = seconds / 2 * EMULATOR_FRAMES_PER_SECOND
    first, last = np.searchsorted(frames, [frames[step] - reach, frames[step] + reach])
    return slice(int(first), max(int(last), step + 1))


def _moment(kind: str, episode: Episode, step: int, amounts: np.ndarray) -> Moment:
    return Moment(
        kind=kind,
        episode=episode.index,
        step=step,
        seconds=float(episode.emulator_frames[step]) / EMULATOR_FRAMES_PER_SECOND,
        amount=float(amounts[step]),
    )


def _largest(amounts: np.ndarray, most: int) -> list[int]:
    """Places of the largest positive amounts, ``APART`` from each other; the earlier of equals."""
    left = amounts.copy()
    places: list[int] = []
    while len(places) < most and len(left) and left.max() > 0:
        place = int(left.argmax())
        places.append(place)
        left[max(0, place - APART + 1) : place + APART] = 0
    return places


def _lost(episode: Episode) -> np.ndarray:
    lives = np.asarray(episode.lives, np.float64)
    after = np.append(lives[1:], lives[-1:])
    lost = np.maximum(lives - after, 0.0)
    if len(episode) and episode.end == "terminated" and lives[-1] > 0:
        lost[-1] = lives[-1]
    return np.maximum(lost, -np.asarray(episode.rewards, np.float64))


def _rewards(episode: Episode) -> np.ndarray:
    return np.asarray(episode.rewards, np.float64)


def _value_drops(episode: Episode) -> np.ndarray:
    values = episode.values
    if values is None and episode.q_values is not None:
        values = episode.q_values.max(axis=1)
    if values is None or len(values) < 2:
        return np.zeros(len(episode))
    values = np.asarray(values, np.float64)
    return np.append(values[:-1] - values[1:], 0.0)


def _policy_changes(episode: Episode) -> np.ndarray:
    if episode.logits is None or len(episode) < 2:
        return np.zeros(len(episode))
    logs = _log_shares(np.asarray(episode.logits, np.float64))
    change = (np.exp(logs[:-1]) * (logs[:-1] - logs[1:])).sum(axis=1)
    return np.append(change, 0.0)


def _importance(episode: Episode) -> np.ndarray:
    outputs = episode.q_values
    if outputs is None:
        assert episode.logits is not None, "an episode has one or the other"
        outputs = np.exp(_log_shares(np.asarray(episode.logits, np.float64)))
    if outputs.shape[1] < 2:
        return np.zeros(len(episode))
    ordered = np.sort(np.asarray(outputs, np.float64), axis=1)
    gaps: np.ndarray = ordered[:, -1] - ordered[:, -2]
    return gaps


def _stuck(episode: Episode) -> np.ndarray:
    """At the first step of each stretch, its length."""
    same = np.zeros(len(episode), bool)
    last: np.ndarray | None = None
    for start in range(0, len(episode), BLOCK):
        planes = episode.planes[start : start + BLOCK]
        before = planes[:1] if last is None else last[None]
        pairs = np.concatenate([before, planes])
        alike = (pairs[1:] == pairs[:-1]).reshape(len(planes), -1).all(axis=1)
        same[start : start + len(planes)] = alike
        last = planes[-1]
    if len(same):
        same[0] = False
    amounts = np.zeros(len(episode))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2):
        if end - first >= LEAST_STUCK:
            amounts[first] = end - first
    return amounts


def _log_shares(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


KINDS: dict[str, Kind] = {
    "lost-point": Kind(meaning="a life or a point is lost", unit="points or lives", amounts=_lost),
    "reward": Kind(meaning="a reward is won", unit="points", amounts=_rewards),
    "value-drop": Kind(
        meaning="the value estimate falls from this step to the next",
        unit="value",
        amounts=_value_drops,
    ),
    "policy-change": Kind(
        meaning="the action probabilities change from this step to the next (KL)",
        unit="nats",
        amounts=_policy_changes,
    ),
    "important": Kind(
        meaning="the best action is far ahead of the second",
        unit="probability or Q",
        amounts=_importance,
    ),
    "stuck": Kind(
        meaning="the observation stays the same from here on", unit="steps", amounts=_stuck
    ),
}
"""By name."""
