"""Named parts of a game's screen and RAM, one file a game: data that interventions name.

A file is ``<game>.toml`` with two tables. ``[regions]``: a name and its rectangles, written
``rows,columns`` in native screen pixels, ends excluded, several joined by ``+``. ``[ram]``: a name,
the ``addresses`` of its bytes and their ``meaning``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class NamedPlaces:
    """What interventions can name in one game; both tables are empty for a game without a file.

    ``regions``: rectangles as text by name. ``ram``: addresses by name.
    """

    regions: Mapping[str, str]
    ram: Mapping[str, tuple[int, ...]]


def named_places(game: str) -> NamedPlaces:
    """The named regions and RAM bytes of a game, by ROM name such as "pong"."""
    path = _FOLDER / f"{game}.toml"
    if not game.isidentifier() or not path.is_file():
        return NamedPlaces(regions={}, ram={})
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return NamedPlaces(
        regions=dict(table.get("regions", {})),
        ram={name: tuple(entry["addresses"]) for name, entry in table.get("ram", {}).items()},
    )
