"""What the tables in a recording's folder say of each step: boxes of objects, a sentence, numbers.

``agentlens objects``, ``describe``, ``concepts`` and ``excite`` write them; a recording without
them has no notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agentlens.drawing.context import Curve, ObjectBox
from agentlens.errors import InvalidArgument
from agentlens.store.recording import Recording
from agentlens.store.tables import NUMBERS, read_table

OBJECTS_TABLE = "objects"
SENTENCES_TABLE = "words/sentences"
ATTRIBUTES_TABLE = "words/attributes"


class StepNotes:
    """The notes of one episode, by step number.

    Attributes:
        has_boxes, has_captions: whether there are any.
    """

    def __init__(self, recording: Recording, episode: int) -> None:
        """Read what is there.

        Raises:
            InvalidArgument: a table of another recording.
            Corrupt: a table that cannot be read.
        """
        objects = _rows(recording, OBJECTS_TABLE, episode)
        sentences = _rows(recording, SENTENCES_TABLE, episode)
        attributes = _rows(recording, ATTRIBUTES_TABLE, episode)
        cited: set[tuple[int, str]] = set()
        if attributes:
            at = attributes["cited"].astype(np.bool_)
            pairs = zip(attributes["step"][at].tolist(), attributes["object"][at], strict=True)
            cited = {(step, str(name)) for step, name in pairs}
        self._boxes: dict[int, list[ObjectBox]] = {}
        for row in range(len(objects["step"]) if objects else 0):
            step, group = int(objects["step"][row]), str(objects["group"][row])
            box = ObjectBox(
                name=str(objects["object"][row]),
                top=int(objects["top"][row]),
                bottom=int(objects["bottom"][row]),
                left=int(objects["left"][row]),
                right=int(objects["right"][row]),
                drawn=bool(objects["drawn"][row]),
                cited=(step, group) in cited,
            )
            self._boxes.setdefault(step, []).append(box)
        self._captions: dict[int, str] = {}
        if sentences:
            pairs = zip(sentences["step"].tolist(), sentences["sentence"], strict=True)
            self._captions = {int(step): str(line) for step, line in pairs}
        self.has_boxes, self.has_captions = bool(self._boxes), bool(self._captions)
        self._numbers = _number_columns(recording, episode)

    def boxes(self, step: int) -> tuple[ObjectBox, ...]:
        """The objects of a step."""
        return tuple(self._boxes.get(step, ()))

    def caption(self, step: int) -> str:
        """The sentence on a step, "" for none."""
        return self._captions.get(step, "")

    def numbers(self, steps: np.ndarray) -> tuple[Curve, ...]:
        """Every number of the tables in the folder ``numbers``, at these steps; NaN where a table
        says nothing. Where tables differ about a name, it begins with the table's."""
        curves = []
        for name, of_step in self._numbers.items():
            values = np.array([of_step.get(int(s), np.nan) for s in steps], np.float32)
            curves.append(Curve(name=name, unit="", role="control", values=values))
        return tuple(curves)


def _number_columns(recording: Recording, episode: int) -> dict[str, dict[int, float]]:
    """By name a number's value at each step of an episode.

    Tables that give a name the same values have one number; where they differ, the table's name
    stands before it.
    """
    by_table: dict[str, dict[str, dict[int, float]]] = {}
    for path in sorted((recording.folder / NUMBERS).glob("*.parquet")):
        table = path.name.removesuffix(".parquet")
        for name, values in _step_values(_rows(recording, f"{NUMBERS}/{table}", episode)).items():
            by_table.setdefault(name, {})[table] = values
    columns: dict[str, dict[int, float]] = {}
    for name, tables in by_table.items():
        first, *others = tables.values()
        if all(_alike(first, other) for other in others):
            columns[name] = first
        else:
            columns |= {f"{table}: {name}": values for table, values in tables.items()}
    return columns


def _step_values(rows: Mapping[str, np.ndarray]) -> dict[str, dict[int, float]]:
    """By column of a table of numbers its value at each step."""
    steps = [int(step) for step in rows["step"]]
    return {
        name: dict(zip(steps, map(float, values), strict=True))
        for name, values in rows.items()
        if name not in ("episode", "step")
    }


def _alike(number: Mapping[int, float], other: Mapping[int, float]) -> bool:
    """Whether two numbers have the same steps and at each the same value, NaN for NaN."""
    return number.keys() == other.keys() and np.array_equal(
        list(number.values()), [other[step] for step in number], equal_nan=True
    )


def _rows(recording: Recording, name: str, episode: int) -> Mapping[str, np.ndarray]:
    """The rows of one episode; nothing where there is no such table."""
    path: Path = recording.folder / name
    if not path.with_name(f"{path.name}.parquet").is_file():
        return {}
    columns, about = read_table(path)
    if about.get("recording") != recording.header.identity:
        raise InvalidArgument(
            f"{path}.parquet is of another recording: remove it, or write it again."
        )
    rows = columns["episode"] == episode
    return {key: values[rows] for key, values in columns.items()}
