"""What excites a unit, as ``excite_unit`` gives it.

Shape letters: K planes, H W observation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentlens.network.excitation import Excited
from agentlens.workflows.excite_frames import ObjectShare, StrongFrame, UnitCurve
from agentlens.workflows.unit_screens import Field

Role = Literal["unit", "random unit", "untrained"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A unit and what excites it.

    ``policy``: whose unit it is. ``frames``: the recorded steps at which it is most active, none
    where it never changes. ``fields``: by row and column of its map, what that value reads; empty
    for an entry of a vector. ``from_frame``: made from its strongest frame, None without one.
    ``from_background``: made from the median of the recording's observations. ``objects``: what
    lies in its field when it is most active. ``curves``: by episode.
    """

    role: Role
    name: str
    frames: tuple[StrongFrame, ...]
    fields: Mapping[tuple[int, int], Field]
    from_frame: Excited | None
    from_background: Excited
    objects: tuple[ObjectShare, ...]
    curves: Mapping[int, UnitCurve]

    def field_at(self, at: tuple[int, int] | None) -> Field | None:
        """What the value at a row and column of its map reads."""
        return None if at is None else self.fields.get(at)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExciteResult:
    """What ``excite_unit`` wrote: page, picture, and tables (paths without a suffix).

    ``subjects``: the unit, a random one of its layer, and its untrained twin.
    """

    page: Path
    picture: Path
    table: Path
    curve: Path
    subjects: tuple[Subject, ...]
