"""Which games are played and how: one frozen object that travels whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from agentlens.errors import InvalidArgument, UnknownName

Selection = Literal["sample", "greedy", "epsilon"]
SELECTIONS: tuple[Selection, ...] = ("sample", "greedy", "epsilon")

STUCK_AFTER = 2_000
"""Decisions (two minutes at a frame skip of 4) with nothing new before an episode counts as
stuck."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """Which games are played, and how.

    An episode depends on ``seed`` and its index alone, never on ``n_envs`` or other episodes.

    Raises:
        InvalidArgument: a number out of range, or an epsilon that would be ignored.
        UnknownName: another selection.
    """

    episodes: int = 1
    """Whole games to play; a lost life does not end one."""
    seed: int = 0
    """Seed of the games, 0 to 2**32 - 1; each depends on it and on its own index alone."""
    max_steps: int = 0
    """Decisions after which an episode is cut; 0 plays it to its end."""
    n_envs: int = 8
    """Episodes played side by side; the result does not depend on it."""
    selection: Annotated[
        Selection | None,
        tyro.conf.arg(metavar="{sample,greedy,epsilon}", help_behavior_hint=""),
    ] = None
    """How actions are chosen; the agent's own way if not given."""
    epsilon: Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="")] = None
    """Share of random actions; goes with --selection epsilon, and stands for it."""
    stuck_after: int = STUCK_AFTER
    """Decisions without a new plane, a reward or a change of lives after which an episode ends as
    "stuck" (greedy agents loop for ever in some games); 0 for never."""

    def __post_init__(self) -> None:
        for name, least in (("episodes", 1), ("n_envs", 1), ("max_steps", 0), ("stuck_after", 0)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InvalidArgument(f"{name} {value!r}: expected an integer from {least}.")
        check_seed(self.seed)
        if self.selection is not None and self.selection not in SELECTIONS:
            raise UnknownName("selection", str(self.selection), SELECTIONS)
        if self.epsilon is None:
            return
        if not isinstance(self.epsilon, int | float) or not 0.0 <= self.epsilon <= 1.0:
            raise InvalidArgument(f"epsilon {self.epsilon!r}: expected 0 to 1.")
        if self.selection not in (None, "epsilon"):
            raise InvalidArgument(
                f"epsilon {self.epsilon} goes with selection 'epsilon', not {self.selection!r}."
            )


def check_seed(seed: int) -> None:
    """Check a seed as users give it.

    Raises:
        InvalidArgument: a seed out of range, or not an integer.
    """
    if type(seed) is not int or not 0 <= seed < 2**32:
        # A larger one would take two words and run into another seed's next episode.
        raise InvalidArgument(f"seed {seed!r}: expected an integer from 0 to {2**32 - 1}.")


GAMES = Play(episodes=20)
"""What a score rests on where nobody says otherwise."""
