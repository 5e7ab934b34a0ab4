"""The choices of a whole job as plain dataclasses: what the Python API and the flags share.

Nothing heavy is imported here, so ``--help`` can list every field with its note and default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Name = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Number = Annotated[float | None, tyro.conf.arg(metavar="NUMBER", help_behavior_hint="")]
Whole = Annotated[int | None, tyro.conf.arg(metavar="INT", help_behavior_hint="")]
Location = Annotated[Path | None, tyro.conf.arg(metavar="PATH", help_behavior_hint="")]
"""Optional values: their notes say what holds when they are not given."""


@dataclass(frozen=True, kw_only=True)
class PlayOptions:
    """How the episodes are played."""

    seed: int = 0
    """Seed of the recording; each episode depends on it and on its own index alone."""
    selection: Annotated[
        Literal["sample", "greedy", "epsilon"] | None,
        tyro.conf.arg(metavar="{sample,greedy,epsilon}", help_behavior_hint=""),
    ] = None
    """How actions are chosen; the agent's own way if not given."""
    deterministic: bool = False
    """The same as --selection greedy."""
    epsilon: Number = None
    """Share of random actions with --selection epsilon."""

    @property
    def chosen(self) -> Literal["sample", "greedy", "epsilon"] | None:
        """The selection, with ``deterministic`` taken into account."""
        return "greedy" if self.deterministic else self.selection


@dataclass(frozen=True, kw_only=True)
class GameOptions(PlayOptions):
    """How one game is played."""

    max_steps: int = 0
    """Decisions after which the game is cut (900 at frame skip 4 is a minute); 0 for all of it."""


A_MINUTE = GameOptions(max_steps=900)
"""One game, cut after a minute at a frame skip of 4."""
