"""The choices of a whole job as plain dataclasses: what the Python API and the flags share.

Nothing heavy is imported here, so ``--help`` can list every field with its note and default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agentlens.rollout.play import Play, Selection

Name = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="")]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Location = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
"""Optional values: their notes say what holds when they are not given."""


@dataclass(frozen=True, kw_only=True)
class GameOptions:
    """How one game is played."""

    seed: int = 0
    """Seed of the game."""
    max_steps: int = 0
    """Decisions after which the game is cut (900 at frame skip 4 is a minute); 0 for all of it."""
    selection: Annotated[
        Selection | None,
        tyro.conf.arg(metavar="{sample,greedy,epsilon}", help_behavior_hint=""),
    ] = None
    """How actions are chosen; the agent's own way if not given."""
    epsilon: Number = None
    """Share of random actions; goes with --selection epsilon, and stands for it."""

    @property
    def games(self) -> Play:
        """The same as the recorder takes it.

        Raises:
            InvalidArgument, UnknownName: as ``Play``.
        """
        return Play(
            seed=self.seed,
            max_steps=self.max_steps,
            selection=self.selection,
            epsilon=self.epsilon,
        )


A_MINUTE = GameOptions(max_steps=900)
"""One game, cut after a minute at a frame skip of 4."""
