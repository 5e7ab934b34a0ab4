"""Which steps of which episodes are explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agentlens.arrays import check_whole
from agentlens.errors import InvalidArgument


def choose_steps(
    lengths: Mapping[int, int],
    steps: slice | Sequence[int] | None,
    episodes: Sequence[int] | None,
) -> dict[int, np.ndarray]:
    """Step numbers, ascending, by episode index.

    Args:
        lengths: steps of each episode of the recording, by its index.
        steps: of each episode: a slice as Python reads it, or numbers that at least one of the
            episodes has; all if not given.
        episodes: indices; all if not given.

    Raises:
        InvalidArgument: an episode or step that is not there or no whole number, or no steps.

    Example:
        >>> choose_steps({0: 9, 1: 4}, [6, 2], None)
        {0: array([2, 6]), 1: array([2])}
    """
    for index in episodes if episodes is not None else ():
        if index not in lengths:
            raise InvalidArgument(
                f"episode {index}: the recording has {', '.join(map(str, lengths)) or 'none'}."
            )
    chosen = sorted(set(lengths if episodes is None else episodes))
    longest = max((lengths[index] for index in chosen), default=0)
    found: dict[int, np.ndarray] = {}
    if steps is None or isinstance(steps, slice):
        for index in chosen:
            found[index] = np.sort(np.arange(lengths[index])[steps or slice(None)])
    else:
        check_whole("step", steps)
        outside = [step for step in steps if not 0 <= step < longest]
        if outside:
            raise InvalidArgument(f"step {outside[0]}: expected 0 to {longest - 1}.")
        for index in chosen:
            inside = [step for step in steps if step < lengths[index]]
            found[index] = np.unique(np.array(inside, np.int64))
    if not any(map(len, found.values())):
        raise InvalidArgument(
            f"no steps to explain: {len(chosen)} episodes of at most {longest} steps, and "
            f"steps {steps}."
        )
    return found
