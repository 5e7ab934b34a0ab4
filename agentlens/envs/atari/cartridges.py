"""Cartridges: where a game's file lies and what it says of itself."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

import ale_py
from ale_py import roms

from agentlens.errors import EmulatorError, UnknownName


class Cartridge(NamedTuple):
    """What a game's cartridge says of itself.

    ``minimal``, ``legal``: ALE's names of the actions that the game uses, and of all 18.
    ``screen_shape``: (Y, X). ``modes``, ``difficulties``: what it can be set to.
    """

    minimal: tuple[str, ...]
    legal: tuple[str, ...]
    screen_shape: tuple[int, int]
    modes: tuple[int, ...]
    difficulties: tuple[int, ...]


@functools.cache
def cartridge(game: str) -> Cartridge:
    """Look into a cartridge; loading one takes a tenth of a second, so once is enough."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.loadROM(rom_path(game))
    rows, columns = ale.getScreenDims()
    return Cartridge(
        minimal=tuple(action.name for action in ale.getMinimalActionSet()),
        legal=tuple(action.name for action in ale.getLegalActionSet()),
        screen_shape=(int(rows), int(columns)),
        modes=tuple(map(int, ale.getAvailableModes())),
        difficulties=tuple(map(int, ale.getAvailableDifficulties())),
    )


def rom_path(game: str) -> Path:
    """The cartridge file of a game that ale-py ships.

    Raises:
        UnknownName: no such game.
    """
    if game not in roms.get_all_rom_ids():
        raise UnknownName("game", game, roms.get_all_rom_ids())
    path = Path(roms.get_rom_path(game))
    if not path.is_file():
        raise EmulatorError(f"the cartridge {path} is missing; install ale-py again.")
    return path


def rom_md5(game: str) -> str:
    """MD5 of a game's cartridge file, lower-case hexadecimal; ale-py knows cartridges by it."""
    return hashlib.md5(rom_path(game).read_bytes(), usedforsecurity=False).hexdigest()
