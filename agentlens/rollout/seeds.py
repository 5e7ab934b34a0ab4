"""One seed an episode: what the emulator, the rules and the agent draw from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentlens.rollout.play import check_seed


@dataclass(frozen=True, kw_only=True)
class EpisodeSeed:
    """Four 32-bit words that decide an episode's chances; they are written into the recording.

    The first seeds the emulator (sticky actions), the second the rules (frame skip, length of
    forced phases), the other two the agent's draws. So an episode can be replayed without
    knowing how its actions were chosen.
    """

    words: tuple[int, int, int, int]

    @property
    def emulator(self) -> int:
        """1 to 2**31 - 1 (the emulator takes 0 for "from the clock")."""
        return 1 + self.words[0] % (2**31 - 1)

    def rules(self) -> np.random.Generator:
        """A fresh generator for frame skips and forced phases."""
        return np.random.default_rng(self.words[1])

    def actions(self) -> np.random.Generator:
        """A fresh generator for the agent's draws."""
        return np.random.default_rng(self.words[2:])


def episode_seed(seed: int, episode: int) -> EpisodeSeed:
    """The seed of one episode of a recording.

    Args:
        seed: as given by the user, 0 to 2**32 - 1.
        episode: its index.

    Raises:
        InvalidArgument: a seed out of range, or not an integer.
    """
    check_seed(seed)
    words = np.random.SeedSequence((seed, episode)).generate_state(4)
    return EpisodeSeed(words=(int(words[0]), int(words[1]), int(words[2]), int(words[3])))
