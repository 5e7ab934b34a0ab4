"""Games of edits that are the same game again are counted, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentlens.cli.edit import _print_games
from agentlens.workflows.edit_games import EditedGame, EditedGames


def _games(actions: tuple[int, ...]) -> EditedGames:
    rows = [
        EditedGame(arm=arm, draw=0, game=n, units="", total=float(n), steps=9, actions=digest)
        for arm in ("untouched", "named", "sham")
        for n, digest in enumerate(actions)
    ]
    return EditedGames(path=Path("games"), games=tuple(rows))


def test_a_game_played_again_and_again_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    again = _games((7, 7, 7, 5))
    assert again.distinct == 2
    _print_games(again)
    assert "only 2 of 4 untouched games differ" in capsys.readouterr().out
    _print_games(_games((1, 2, 3)))
    assert "differ:" not in capsys.readouterr().out
