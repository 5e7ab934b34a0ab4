"""Which steps of which episodes are explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agentlens.arrays import check_whole
from agentlens.errors import InvalidArgument

Steps = slice | Sequence[int]
"""Steps of one episode: a slice as Python reads it, or numbers."""


def choose_steps(
    lengths: Mapping[int, int], steps: Steps | Mapping[int, Steps] | None
) -> dict[int, np.ndarray]:
    """Step numbers, ascending, by episode index.

    Args:
        lengths: steps of each episode of the recording, by its index.
        steps: of every episode, numbers that at least one of them has; or by episode; all if not
            given.

    Raises:
        InvalidArgument: an episode or step that is not there or no whole number, or no steps.

    Example:
        >>> choose_steps({0: 9, 1: 4}, [6, 2])
        {0: array([2, 6]), 1: array([2])}
        >>> choose_steps({0: 9, 1: 4}, {1: slice(2, None)})
        {1: array([2, 3])}
    """
    if not isinstance(steps, Mapping):
        return _chosen(lengths, steps)
    chosen_by_episode: dict[int, np.ndarray] = {}
    for index in sorted(steps):
        if index not in lengths:
            raise InvalidArgument(
                f"episode {index}: the recording has {', '.join(map(str, lengths)) or 'none'}."
            )
        chosen_by_episode |= _chosen({index: lengths[index]}, steps[index])
    if not chosen_by_episode:
        raise InvalidArgument("no steps to explain: the mapping names no episode.")
    return chosen_by_episode


def _chosen(lengths: Mapping[int, int], steps: Steps | None) -> dict[int, np.ndarray]:
    """The same steps of each of these episodes."""
    longest = max(lengths.values(), default=0)
    chosen_by_episode: dict[int, np.ndarray] = {}
    if steps is None or isinstance(steps, slice):
        for index, length in lengths.items():
            chosen_by_episode[index] = np.sort(np.arange(length)[steps or slice(None)])
    else:
        check_whole("step", steps)
        outside = [step for step in steps if not 0 <= step < longest]
        if outside:
            raise InvalidArgument(f"step {outside[0]}: expected 0 to {longest - 1}.")
        for index, length in lengths.items():
            inside = [step for step in steps if step < length]
            chosen_by_episode[index] = np.unique(np.array(inside, np.int64))
    if not any(map(len, chosen_by_episode.values())):
        count = len(lengths)
        raise InvalidArgument(
            f"no steps to explain: of {_described(steps)} there is none in {count} "
            f"episode{'s' if count != 1 else ''} of at most {longest} steps."
        )
    return chosen_by_episode


def _described(steps: slice | Sequence[int] | None) -> str:
    """The asked steps in words: "the steps from 399 to before 390"."""
    if steps is None:
        return "all steps"
    if not isinstance(steps, slice):
        return f"the steps {', '.join(map(str, steps))}" if len(steps) else "an empty list"
    start = 0 if steps.start is None else steps.start
    end = "the end" if steps.stop is None else f"before {steps.stop}"
    every = "" if steps.step in (None, 1) else f", every {steps.step}"
    return f"the steps from {start} to {end}{every}"
