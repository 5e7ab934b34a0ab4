"""What a comparison says: figures and tables, with nothing drawn yet."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentlens.comparison.behaviour import Behaviour
from agentlens.comparison.layers import LayerSimilarity
from agentlens.comparison.mass import MassShift
from agentlens.comparison.moments import Moment
from agentlens.comparison.returns import PairedDifference, Played, ReturnFigures
from agentlens.comparison.similarity import Similarity
from agentlens.comparison.statistics import Interval
from agentlens.comparison.trust import MapTrust, badge_rows
from agentlens.comparison.values import ValueBias


@dataclass(frozen=True, kw_only=True)
class AgentSummary:
    """One of the agents compared.

    ``label``: the name it is shown under, unlike all others. ``protocol``: one line.
    ``memory``: whether it is recurrent. ``weights``: SHA-256, or "". ``seed``: of its recording.
    """

    label: str
    name: str
    algorithm: str
    game: str
    protocol: str
    selection: str
    memory: bool
    weights: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class BurnIn:
    """How far a recurrent agent's choice on another's states depends on older memory.

    ``total_variation``: mean distance, 0 to 1, between its action probabilities with its memory
    run from the episode's start and with memory emptied ``steps`` decisions earlier.
    """

    agent: str
    states_of: str
    steps: int
    states: int
    total_variation: float


@dataclass(frozen=True, kw_only=True)
class ObjectEffect:
    """How much of an agent's choices depends on one group of objects on the screen.

    ``effect``: its share of the change when each group is erased alone, 0 to 1; ``decided``: the
    same over the states in which the agent is decided, None where those are too few; ``cited``:
    share of the ``steps`` states in which it is cited as what the agent acts for.
    """

    agent: str
    states_of: str
    object: str
    effect: float
    decided: float | None
    cited: float
    steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Two or more agents compared on the same seeds and on the same states.

    Agents stand in the order given, which is the order of training for checkpoints. Figures on
    shared states are kept apart by whose states they are (``states_of``).

    Attributes:
        games: the episodes that returns come from. returns, biases, differences, behaviours,
        similarities, burn_ins, shifts, moments, objects, layers, trust: see their classes.
        notes: what a reader must know before believing any of it. made: seeds, counts, method and
        versions. folder: where the report lies, or None.
    """

    agents: tuple[AgentSummary, ...]
    games: tuple[Played, ...]
    returns: tuple[ReturnFigures, ...]
    biases: tuple[ValueBias, ...]
    differences: tuple[PairedDifference, ...]
    behaviours: tuple[Behaviour, ...]
    similarities: tuple[Similarity, ...]
    burn_ins: tuple[BurnIn, ...]
    shifts: tuple[MassShift, ...]
    moments: tuple[Moment, ...]
    notes: tuple[str, ...]
    made: Mapping[str, Any]
    objects: tuple[ObjectEffect, ...] = ()
    layers: tuple[LayerSimilarity, ...] = ()
    trust: tuple[MapTrust, ...] = ()
    folder: Path | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Shown names in order."""
        return tuple(a.label for a in self.agents)

    @property
    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Every table by name: columns of equal length; an interval is three columns."""
        episodes = [
            {
                "agent": g.agent,
                "episode": g.indices[i],
                "start": " ".join(map(str, g.starts[i])),
                "return": g.returns[i],
                "steps": g.steps[i],
                "end": g.ends[i],
            }
            for g in self.games
            for i in range(len(g.returns))
        ]
        tables = {
            "episodes": _columns(episodes),
            "returns": table(self.returns),
            "value_bias": table(self.biases),
            "differences": table(self.differences),
            "behaviour": table(self.behaviours),
            "similarity": table(self.similarities),
            "burn_in": table(self.burn_ins),
            "objects": table(self.objects),
            "layers": table(self.layers),
            "moments": table(self.moments),
            "badges": _columns(badge_rows(self.trust)),
        }
        return {name: columns for name, columns in tables.items() if columns}


def table(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Columns of a row of dataclasses; an interval becomes ``x``, ``x_low`` and ``x_high``."""
    return _columns([_flat(row) for row in rows])


def plain(value: Any) -> Any:
    """Dataclasses, arrays and paths as JSON takes them; what is not finite becomes None.

    The figures of a measure stand beside the other fields of their dataclass.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: plain(item) for name, item in _fields(value).items()}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def _fields(row: Any) -> dict[str, Any]:
    """A dataclass by field, its ``figures`` in their place by name."""
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(row):
        value = getattr(row, field.name)
        fields |= value if field.name == "figures" else {field.name: value}
    return fields


def _flat(row: Any) -> dict[str, Any]:
    optional = {f.name for f in dataclasses.fields(row) if "Interval" in str(f.type)}
    columns: dict[str, Any] = {}
    for name, value in _fields(row).items():
        if isinstance(value, Interval) or name in optional or name in getattr(row, "figures", ()):
            parts = (None,) * 3 if value is None else (value.estimate, value.low, value.high)
            names = (name, f"{name}_low", f"{name}_high")
            columns |= zip(names, map(plain, parts), strict=True)
        else:
            columns[name] = plain(value)
    return columns


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}
