"""How an action is chosen from a policy's outputs."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np

from agentlens.rollout.outputs import Outputs
from agentlens.rollout.play import Play, Selection
from agentlens.spec import ActionSpec

ROUNDING = 1e-5
"""Of the outputs' size: see ``is_close``."""


def chosen_selection(action: ActionSpec, play: Play) -> ActionSpec:
    """The agent's action spec with what ``play`` asks for instead; an epsilon alone stands for
    selection "epsilon"."""
    own: Selection = "epsilon" if play.epsilon is not None else action.selection
    return dataclasses.replace(
        action,
        selection=play.selection or own,
        epsilon=action.epsilon if play.epsilon is None else play.epsilon,
    )


class Draw(NamedTuple):
    """The chances of one decision, drawn before any output is looked at.

    ``uniform``: in [0, 1), for "sample". ``action``: what "epsilon" plays instead of the largest
    output, -1 for that output.
    """

    uniform: float
    action: int


def draw_chances(action: ActionSpec, generator: np.random.Generator) -> Draw:
    """Draw what ``pick`` needs for one decision."""
    if action.selection == "sample":
        return Draw(generator.random(), -1)
    if action.selection == "epsilon" and generator.random() < action.epsilon:
        return Draw(0.0, int(generator.integers(len(action.meanings))))
    return Draw(0.0, -1)


def pick(action: ActionSpec, outputs: Outputs, draw: Draw) -> int:
    """The action that outputs and chances give.

    "sample" takes the first action whose cumulated softmax exceeds the uniform number, in
    float64; "greedy" takes the largest output, the first among equals.
    """
    if draw.action >= 0:
        return draw.action
    scores = outputs.preferences
    if action.selection == "sample":
        cumulated = _cumulated(scores)
        drawn = draw.uniform * cumulated[-1]
        return min(bisect.bisect_right(cumulated, drawn), len(scores) - 1)
    return int(np.argmax(scores))


def is_close(action: ActionSpec, outputs: Outputs, draw: Draw) -> bool:
    """Whether another rounding of the outputs (1e-5 of their size at most) could change ``pick``.

    Ten times what the size of a batch moves float32 outputs by.
    """
    if draw.action >= 0:
        return False
    scores = outputs.preferences
    rounding = ROUNDING * max(1.0, float(np.abs(scores).max()))
    if action.selection == "sample":
        cumulated = _cumulated(scores)
        nearest = min(abs(part / cumulated[-1] - draw.uniform) for part in cumulated)
        return nearest < 2 * rounding
    largest = np.partition(scores, -2)[-2:] if len(scores) > 1 else np.array([0.0, np.inf])
    return bool(largest[1] - largest[0] < 2 * rounding)


def choose_action(action: ActionSpec, outputs: Outputs, generator: np.random.Generator) -> int:
    """Draw the chances of one decision and pick its action."""
    return pick(action, outputs, draw_chances(action, generator))


def _cumulated(scores: np.ndarray) -> list[float]:
    """Of the softmax, but for its factor. A few numbers: plain Python takes a third of NumPy's
    time."""
    numbers = scores.tolist()
    highest = max(numbers)
    return list(itertools.accumulate(math.exp(number - highest) for number in numbers))
