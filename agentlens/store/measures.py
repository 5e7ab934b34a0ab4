"""What was measured of a map set: a sealed document beside its maps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentlens.badges import Badges, Figure, judge
from agentlens.errors import Corrupt
from agentlens.store.sealed_json import read_document, write_document

MEASURES = "measures.json"
_KIND = "measures"


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Figures of one method's maps.

    ``figures``: by name (see ``badges.judge``). ``states``: how many they rest on. ``units``: what
    the intervals resample. ``provenance``: where and when they were made.
    """

    figures: Mapping[str, Figure]
    states: int
    units: str
    provenance: Mapping[str, Any]


def write_measures(folder: Path, measures: Measures) -> Path:
    """Write the measures of a map set into its folder, replacing earlier ones; returns the file.

    Raises:
        DiskError: full, read-only or failing disk.
    """
    figures = {
        name: [None if math.isnan(value) else value for value in (f.estimate, f.low, f.high)]
        for name, f in measures.figures.items()
    }
    path = folder / MEASURES
    content = {
        "figures": figures,
        "states": measures.states,
        "units": measures.units,
        "provenance": dict(measures.provenance),
    }
    write_document(path, _KIND, content)
    return path


def read_measures(folder: Path) -> Measures | None:
    """The measures of a map set, or ``None`` where nothing was measured.

    Raises:
        Corrupt: the file was altered.
        Incompatible: another schema version.
    """
    path = folder / MEASURES
    if not path.is_file():
        return None
    document = read_document(path, _KIND)
    try:
        figures = {
            str(name): Figure(estimate=_number(e), low=_number(low), high=_number(high))
            for name, (e, low, high) in document["figures"].items()
        }
        return Measures(
            figures=figures,
            states=int(document["states"]),
            units=str(document["units"]),
            provenance=dict(document["provenance"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Corrupt(f"{path}: not the measures expected: {error!r}.") from error


def badges_of(folder: Path | None) -> Badges | None:
    """The badges of a map set: "not measured" where its folder holds no measures.

    Returns:
        ``None`` for maps in memory.

    Raises:
        Corrupt, Incompatible: as ``read_measures``.
    """
    if folder is None:
        return None
    measures = read_measures(folder)
    return judge({} if measures is None else measures.figures)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
