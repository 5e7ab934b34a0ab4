"""What the emulator calls the actions of a game."""

from __future__ import annotations

import ale_py
from ale_py import roms

from agentlens.errors import EmulatorError


def action_meanings(game: str, *, full: bool) -> tuple[str, ...]:
    """ALE's names of a game's actions, in ALE's order: the minimal set, or all 18.

    Raises:
        EmulatorError: no ROM of that name.
    """
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    path = roms.get_rom_path(game)
    if path is None:
        raise EmulatorError(f"no ROM for the game {game!r} in ale-py; expected one it ships.")
    emulator = ale_py.ALEInterface()
    emulator.loadROM(path)
    actions = emulator.getLegalActionSet() if full else emulator.getMinimalActionSet()
    return tuple(action.name for action in actions)
