"""Randomness that depends on a seed and a place alone, never on the order of visits."""

from __future__ import annotations

import numpy as np

from agentlens.errors import InvalidArgument

LARGEST_SEED = 2**53 - 1
"""Seeds are whole numbers that every file format keeps."""


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises:
        InvalidArgument: no whole number from 0 to ``LARGEST_SEED``.
    """
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise InvalidArgument(f"seed {seed!r}: expected a whole number from 0 to {LARGEST_SEED}.")


def counted_generator(seed: int, episode: int, step: int, mask: int = -1) -> np.random.Generator:
    """The generator of one step, or of one mask of it: the same in whatever order they come."""
    counter = [0, mask + 1, int(episode), int(step)]
    return np.random.Generator(np.random.Philox(key=seed, counter=counter))
