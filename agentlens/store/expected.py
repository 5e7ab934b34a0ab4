"""What an episode's columns must be like: checked when a file is opened, for every reader alike.

A digest says that a file is as it was written; whoever forges a file can seal it, too. So names,
dtypes, shapes, lengths and ranges are held against the header before anything is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from agentlens.errors import Corrupt
from agentlens.store import schema
from agentlens.store.columns import FORCED_TYPE, OPTIONAL_SCALARS, SCALARS
from agentlens.store.header import RecordingHeader

MOST_NUMBERS = 1 << 22
"""Values of one column in one step; more is a slip or a lie, and would not fit into memory."""


def check_columns(path: Path, table: pa.Schema, header: RecordingHeader) -> None:
    """Check names, dtypes and shapes of an episode's columns.

    Raises:
        Corrupt: names the file, the column, and what was expected.
    """
    if len(set(table.names)) != len(table.names):
        raise Corrupt(f"{path}: a column is there twice: {', '.join(table.names)}.")
    _check_presence(path, set(table.names))
    for name in (*SCALARS, *OPTIONAL_SCALARS):
        if name in table.names:
            wanted = pa.from_numpy_dtype({**SCALARS, **OPTIONAL_SCALARS}[name])
            _check_type(path, name, table.field(name).type, wanted)
    _check_type(path, schema.STEP, table.field(schema.STEP).type, pa.int64())
    _check_type(path, schema.FORCED, table.field(schema.FORCED).type, FORCED_TYPE)
    for name, (dtypes, shape) in _arrays(header).items():
        if name in table.names:
            _check_array(path, table.field(name), dtypes, shape)


def check_values(path: Path, name: str, values: np.ndarray, header: RecordingHeader) -> None:
    """Check the range of what was read from a column.

    Raises:
        Corrupt: names the file, the column and the value.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise Corrupt(f"{path}: column {name} holds a value that is no finite number.")
    if name == schema.ACTION and len(values):
        most = len(header.agent.action.meanings) - 1
        low, high = int(values.min()), int(values.max())
        if low < 0 or high > most:
            raise Corrupt(f"{path}: actions run from {low} to {high}, expected 0 to {most}.")
    if name == schema.FRAMES_ADVANCED and len(values) and int(values.min()) < 0:
        raise Corrupt(f"{path}: column {name} holds {int(values.min())}, expected 0 or more.")


def empty_column(name: str, header: RecordingHeader) -> np.ndarray:
    """No row of a column: of an episode that was begun and has no step yet."""
    dtypes, shape = _arrays(header).get(name, ((), ()))
    plain = {**SCALARS, **OPTIONAL_SCALARS}.get(name, np.float32)
    dtype = np.uint8 if dtypes[:1] == ("uint8",) else plain
    return np.zeros((0, *(size or 1 for size in shape)), dtype)


def _check_presence(path: Path, names: set[str]) -> None:
    needed = {*SCALARS, schema.STEP, schema.SCREEN, schema.PLANE, schema.FORCED}
    missing = sorted(needed - names)
    for pair in ((schema.RAM, schema.FINGERPRINT), (schema.LOGITS, schema.Q_VALUES)):
        if not names & set(pair):
            missing.append(" or ".join(pair))
    if missing:
        raise Corrupt(f"{path}: columns are missing: {', '.join(missing)}.")
    if {schema.LOGITS, schema.Q_VALUES} <= names:
        raise Corrupt(f"{path}: it has both logits and q_values, expected one of them.")


def _arrays(
    header: RecordingHeader,
) -> dict[str, tuple[tuple[str, ...], tuple[int | None, ...]]]:
    """Dtypes and shape of each column of arrays; ``None`` stands for any size."""
    actions = len(header.agent.action.meanings)
    return {
        schema.SCREEN: (("uint8",), header.screen_array_shape),
        schema.SCREEN_BEFORE: (("uint8",), header.screen_array_shape),
        schema.PLANE: (("uint8", "float"), header.agent.observation.plane_shape),
        schema.RAM: (("uint8",), (None,)),
        schema.FINGERPRINT: (("uint8",), (None,)),
        schema.STATE: (("float",), (None,)),
        schema.LOGITS: (("float",), (actions,)),
        schema.Q_VALUES: (("float",), (actions,)),
        schema.QUANTILES: (("float",), (actions, None)),
    }


def _check_type(path: Path, name: str, stored: Any, wanted: Any) -> None:
    if not stored.equals(wanted):
        raise Corrupt(f"{path}: column {name} is {stored}, expected {wanted}.")


def _check_array(
    path: Path, field: pa.Field, dtypes: tuple[str, ...], wanted: tuple[int | None, ...]
) -> None:
    kind = field.type
    if not pa.types.is_fixed_size_list(kind) or str(kind.value_type) not in dtypes:
        raise Corrupt(
            f"{path}: column {field.name} is {kind}, expected lists of one size of "
            f"{' or '.join(dtypes)}."
        )
    try:
        shape = tuple(int(n) for n in (field.metadata or {})[b"shape"].split(b","))
    except (KeyError, ValueError):
        raise Corrupt(f"{path}: column {field.name} does not say its shape.") from None
    fits = len(shape) == len(wanted) and all(
        size >= 1 and expected in (None, size) for size, expected in zip(shape, wanted, strict=True)
    )
    size = int(np.prod(shape, dtype=object))
    if not fits or size != kind.list_size or size > MOST_NUMBERS:
        expected = ", ".join("any" if n is None else str(n) for n in wanted)
        raise Corrupt(
            f"{path}: column {field.name} has rows of {shape} in {kind.list_size} numbers, "
            f"expected ({expected})."
        )
