"""How an action is chosen from a policy's outputs."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.rollout.outputs import Outputs
from agentlens.spec import ActionSpec

Selection = Literal["sample", "greedy", "epsilon"]
SELECTIONS: Mapping[str, Selection] = {
    "sample": "sample", "greedy": "greedy", "epsilon": "epsilon",
}  # fmt: skip


def chosen_selection(
    action: ActionSpec, selection: str | None, epsilon: float | None
) -> ActionSpec:
    """The agent's action spec with what the caller asked for instead.

    Args:
        selection: "sample", "greedy" or "epsilon"; ``None``: the agent's own, or "epsilon" where
            ``epsilon`` is given.
        epsilon: share of actions drawn uniformly, for "epsilon" only; ``None``: the agent's own.

    Raises:
        UnknownName: another selection.
        InvalidArgument: an epsilon outside [0, 1], or one that would be ignored.
    """
    name = selection or ("epsilon" if epsilon is not None else action.selection)
    if name not in SELECTIONS:
        raise UnknownName("selection", name, SELECTIONS)
    if epsilon is not None and name != "epsilon":
        raise InvalidArgument(f"epsilon {epsilon} goes with selection 'epsilon', not {name!r}.")
    return dataclasses.replace(
        action, selection=SELECTIONS[name], epsilon=action.epsilon if epsilon is None else epsilon
    )


def choose_action(action: ActionSpec, outputs: Outputs, generator: np.random.Generator) -> int:
    """Choose one action.

    "sample" draws from the softmax of the logits by one uniform number against the cumulated
    probabilities, in float64; "greedy" takes the largest output, the first among equals.
    """
    scores = outputs.logits if outputs.logits is not None else outputs.q_values
    assert scores is not None
    if action.selection == "sample":
        # A few numbers: plain Python takes a third of NumPy's time.
        numbers = scores.tolist()
        highest = max(numbers)
        cumulated = list(itertools.accumulate(math.exp(x - highest) for x in numbers))
        drawn = generator.random() * cumulated[-1]
        return min(bisect.bisect_right(cumulated, drawn), len(numbers) - 1)
    if action.selection == "epsilon" and generator.random() < action.epsilon:
        return int(generator.integers(len(scores)))
    return int(np.argmax(scores))
