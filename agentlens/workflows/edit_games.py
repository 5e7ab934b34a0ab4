"""The games that edits were played in: rows, the figures of them, and the table so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.comparison.statistics import Interval, bootstrap, mean, of_values
from agentlens.errors import AlreadyExists
from agentlens.provenance import provenance
from agentlens.store.tables import read_table, remove_table, table_exists, write_table
from agentlens.workflows.edit_arms import ARMS

UNTOUCHED = "untouched"

ORDER: tuple[str, ...] = (UNTOUCHED, *ARMS)
"""The arms as they are played and told."""

_COLUMNS = ("arm", "draw", "game", "units", "total", "steps", "actions")


@dataclass(frozen=True, kw_only=True)
class EditedGame:
    """One whole game of one arm. ``game``: its number; games of the same number are paired.

    ``actions``: a digest of all actions: equal where the very same game was played.
    """

    arm: str
    draw: int
    game: int
    units: str
    total: float
    steps: int
    actions: int


@dataclass(frozen=True, kw_only=True)
class EditedGames:
    """What ``play_edits`` wrote and measured: ``path`` of the table, without a suffix.

    ``games``: by arm and number.
    """

    path: Path
    games: tuple[EditedGame, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that were played, untouched first."""
        played = {game.arm for game in self.games}
        return tuple(arm for arm in ORDER if arm in played)

    def of(self, arm: str) -> tuple[EditedGame, ...]:
        """The games of one arm, in order."""
        return tuple(game for game in self.games if game.arm == arm)

    def returns(self, arm: str) -> np.ndarray:
        """Their returns: float64 [games]."""
        return np.array([game.total for game in self.of(arm)], np.float64)

    def mean_return(self, arm: str) -> Interval:
        """The mean return with its 95 % BCa interval over games."""
        return _interval(self.returns(arm))

    def difference(self, arm: str, other: str = UNTOUCHED) -> Interval:
        """The mean of the paired differences, ``arm`` less ``other``, with its interval."""
        return _interval(self.returns(arm) - self.returns(other))

    @property
    def distinct(self) -> int:
        """How many of the untouched games differ in their actions: a greedy agent whose games all
        begin alike plays one game again and again, and intervals over them mean nothing."""
        return len({game.actions for game in self.of(UNTOUCHED)})

    @property
    def sham_agrees(self) -> bool:
        """Whether every sham game is the untouched one, action for action."""
        pairs = zip(self.of("sham"), self.of(UNTOUCHED), strict=True)
        return all(sham.actions == untouched.actions for sham, untouched in pairs)


class GamesSoFar:
    """The finished games of a run, in a table of its own that is rewritten after every game.

    Args:
        path: of the table that is wanted in the end, without a suffix; the one so far is
            ``<path>-unfinished``.
        question: what was asked, as JSON can hold it; only games of the same question are kept.
        force: leave games of an earlier run out.

    Raises:
        AlreadyExists: the table so far answers another question.
        Corrupt: it cannot be read.
    """

    def __init__(self, path: Path, question: Mapping[str, Any], *, force: bool) -> None:
        self.table, self._path = path.with_name(f"{path.name}-unfinished"), path
        self._question = question
        self.games: list[EditedGame] = []
        if table_exists(self.table) and not force:
            self.games = self._read()

    def __str__(self) -> str:
        """What a run that stops here leaves."""
        if not self.games:
            return "no game was finished."
        return (
            f"{len(self.games)} finished games are in {self.table}.parquet, and the same command "
            "(without --force) goes on from there."
        )

    def add(self, game: EditedGame) -> None:
        """Keep a game that was played to its end."""
        self.games.append(game)
        about = {"unfinished": True, **self._question, **provenance()}
        write_table(self.table, _columns(_ordered(self.games)), about)

    def finish(self) -> EditedGames:
        """Write the table that was wanted; that of the games so far is no longer needed."""
        result = EditedGames(path=self._path, games=tuple(_ordered(self.games)))
        write_table(self._path, _columns(result.games), {**self._question, **provenance()})
        remove_table(self.table)
        return result

    def _read(self) -> list[EditedGame]:
        columns, about = read_table(self.table)
        differing = [name for name, asked in self._question.items() if about.get(name) != asked]
        if differing:
            raise AlreadyExists(
                f"{self.table}: holds {len(columns['game'])} games of a run that was stopped, "
                f"which asked something else (other {', '.join(differing)}): --force plays from "
                "the start, --output names another table."
            )
        rows = zip(*(columns[name].tolist() for name in _COLUMNS), strict=True)
        return [EditedGame(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _ordered(games: Sequence[EditedGame]) -> list[EditedGame]:
    return sorted(games, key=lambda game: (ORDER.index(game.arm), game.game))


def _columns(games: Sequence[EditedGame]) -> dict[str, list[Any]]:
    return {name: [getattr(game, name) for game in games] for name in _COLUMNS}


def _interval(values: np.ndarray) -> Interval:
    return bootstrap(of_values(values, mean), len(values), np.random.default_rng(0)).interval()
