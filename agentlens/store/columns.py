"""Steps to Arrow columns and back: the one place that knows how a column is laid out."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from agentlens.arrays import check_dtype, check_finite, check_shape
from agentlens.errors import Corrupt, InvalidArgument
from agentlens.store import schema
from agentlens.store.header import RecordingHeader

SCALARS: Mapping[str, type] = {
    schema.EMULATOR_FRAME: np.int64,
    schema.FRAMES_ADVANCED: np.int32,
    schema.STACK_RESET: np.bool_,
    schema.STATE_RESET: np.bool_,
    schema.ACTION: np.int32,
    schema.REWARD: np.float32,
    schema.CLIPPED_REWARD: np.float32,
    schema.TERMINATED: np.bool_,
    schema.TRUNCATED: np.bool_,
}
"""One value a step, in every episode."""

OPTIONAL_SCALARS: Mapping[str, type] = {schema.LIVES: np.int32, schema.VALUE: np.float32}
"""One value a step, where the world or the policy has it."""

FORCED_TYPE = pa.list_(pa.list_(pa.int32(), 2))
_BYTES = (schema.SCREEN, schema.SCREEN_BEFORE, schema.RAM, schema.FINGERPRINT)
_OPTIONAL = (
    schema.SCREEN_BEFORE,
    schema.RAM,
    schema.FINGERPRINT,
    schema.STATE,
    schema.LOGITS,
    schema.Q_VALUES,
    schema.QUANTILES,
    *OPTIONAL_SCALARS,
)
_get_optional = operator.attrgetter(*_OPTIONAL)


@dataclass(frozen=True, kw_only=True)
class StepRow:
    """One decision. Arrays are copied by the writer before ``append`` returns.

    ``screen``, ``screen_before``: uint8 [Y, X] palette indices or [Y, X, 3] RGB, the newest native
    screen at the moment of the decision and the one that pooling pairs with it: one tick earlier
    (the previous decision's last for ``pool = "previous_decision"``), or ``screen`` itself where
    nothing is pooled, such as after a reset; None in worlds where nothing is ever pooled.
    ``plane``: uint8 or float32 [H, W], [3, H, W] in colour, the newest frame of the observation,
    unscaled. ``state``: float32 [S] *before* the step, or None. ``ram``: uint8, the machine's whole
    memory, or ``fingerprint``: uint8, a digest of all there is: one of them.
    ``logits`` / ``q_values``: float32 [A], one of them. ``value``: float or None. ``quantiles``:
    float32 [A, N] or None.
    ``action``: index into the agent's action meanings. ``forced``: the actions that wrappers
    (start phases, life loss) executed between the previous row's decision and this one, int32
    [n, 2] of (emulator action, emulator frames). ``reward``: raw sum over the decision's frames,
    the forced ones that follow it included.
    """

    emulator_frame: int
    frames_advanced: int
    screen: np.ndarray
    screen_before: np.ndarray | None
    plane: np.ndarray
    stack_reset: bool
    state_reset: bool
    ram: np.ndarray | None
    fingerprint: np.ndarray | None = None
    state: np.ndarray | None
    logits: np.ndarray | None
    q_values: np.ndarray | None
    value: float | None
    quantiles: np.ndarray | None = None
    action: int
    forced: np.ndarray
    reward: float
    clipped_reward: float
    lives: int | None
    terminated: bool
    truncated: bool

    @property
    def told(self) -> np.ndarray:
        """What tells the world's state: RAM or fingerprint."""
        told = self.fingerprint if self.ram is None else self.ram
        assert told is not None, "checked by StepBuffer"
        return told


class StepBuffer:
    """Up to 32 steps of one episode, in preallocated arrays, until they become a record batch.

    The first row decides which optional columns there are, their dtypes and the size of the
    recurrent state; every other row must agree with it.
    """

    def __init__(self, row: StepRow, header: RecordingHeader) -> None:
        actions = (len(header.agent.action.meanings),)
        if (row.logits is None) == (row.q_values is None):
            raise InvalidArgument("a step needs either logits or q_values.")
        if (row.ram is None) == (row.fingerprint is None):
            raise InvalidArgument("a step needs either ram or a fingerprint.")
        self._n_actions = actions[0]
        self._rows: dict[str, np.ndarray] = {}
        self._told = schema.RAM if row.fingerprint is None else schema.FINGERPRINT
        for name, shape in _array_shapes(row, header).items():
            dtype = np.uint8 if name in _BYTES else None
            if name == schema.PLANE:
                check_dtype(name, row.plane, "uint8", "float32")
                dtype = row.plane.dtype.type
            self._rows[name] = np.zeros((schema.BATCH_STEPS, *shape), dtype or np.float32)
        given = {n: k for n, k in OPTIONAL_SCALARS.items() if getattr(row, n) is not None}
        scalars = {**SCALARS, **given}
        self._scalars = np.zeros(schema.BATCH_STEPS, np.dtype(list(scalars.items())))
        self._get_rows = operator.attrgetter(*self._rows)
        self._get_scalars = operator.attrgetter(*scalars)
        self._given = [name in self._rows or name in scalars for name in _OPTIONAL]
        self._forced: list[np.ndarray] = []
        self._first = 0
        self.schema = pa.schema(
            [
                pa.field(schema.STEP, pa.int64(), nullable=False),
                *(
                    pa.field(name, pa.from_numpy_dtype(kind), nullable=False)
                    for name, kind in scalars.items()
                ),
                *(_array_field(name, column) for name, column in self._rows.items()),
                pa.field(schema.FORCED, FORCED_TYPE, nullable=False),
            ]
        )

    def __len__(self) -> int:
        return len(self._forced)

    @property
    def full(self) -> bool:
        """Whether the next row needs ``take`` first."""
        return len(self) == schema.BATCH_STEPS

    def add(self, row: StepRow) -> None:
        """Copy a row in.

        Raises:
            ShapeError, DtypeError, InvalidArgument: it does not fit the episode's first row.
        """
        at = len(self)
        given = [value is not None for value in _get_optional(row)]
        if given != self._given:
            name, there = next(
                (n, g) for n, g, w in zip(_OPTIONAL, given, self._given, strict=True) if g != w
            )
            raise InvalidArgument(
                f"step {self._first + at}: {name} is "
                f"{'given' if there else 'missing'}, unlike in step 0."
            )
        if not isinstance(row.action, int | np.integer) or not 0 <= row.action < self._n_actions:
            raise InvalidArgument(
                f"action {row.action!r}: expected an integer from 0 to {self._n_actions - 1}, "
                "an index into the agent's action meanings."
            )
        check_shape(schema.FORCED, row.forced, (None, 2))
        for name, column, value in zip(
            self._rows, self._rows.values(), self._get_rows(row), strict=True
        ):
            if value.dtype != column.dtype or value.shape != column.shape[1:]:
                check_dtype(name, value, str(column.dtype))
                check_shape(name, value, column.shape[1:])
            column[at] = value
        self._scalars[at] = self._get_scalars(row)
        self._forced.append(np.array(row.forced, np.int32))

    def played(self) -> bytes:
        """Action (int32, little-endian) and RAM or fingerprint of the rows so far, row after
        row."""
        count, ram = len(self), self._rows[self._told]
        table = np.empty((count, 4 + ram.shape[1]), np.uint8)
        actions = self._scalars[schema.ACTION][:count].astype("<i4")
        table[:, :4] = actions.view(np.uint8).reshape(count, 4)
        table[:, 4:] = ram[:count]
        return table.tobytes()

    def take(self) -> pa.RecordBatch:
        """The rows so far as a batch that shares this buffer's memory: write it before adding more.

        Raises:
            NotFinite: a NaN or an infinity; names the column and the place within the batch.
        """
        count = len(self)
        columns = [_flat(np.arange(self._first, self._first + count))]
        scalars = {
            n: np.ascontiguousarray(self._scalars[n]) for n in self._scalars.dtype.names or ()
        }
        for name, column in (*scalars.items(), *self._rows.items()):
            part = column[:count]
            if part.dtype.kind == "f":
                check_finite(f"{name} of steps {self._first} to {self._first + count - 1}", part)
            flat = _flat(part.reshape(-1))
            columns.append(
                flat if part.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, part[0].size)
            )
        offsets = np.cumsum([0, *map(len, self._forced)], dtype=np.int32)
        pairs = _flat(np.concatenate(self._forced).reshape(-1))
        forced = pa.FixedSizeListArray.from_arrays(pairs, 2)
        columns.append(pa.ListArray.from_arrays(_flat(offsets), forced))
        self._first += count
        self._forced = []
        return pa.record_batch(columns, schema=self.schema)


def _array_shapes(row: StepRow, header: RecordingHeader) -> dict[str, tuple[int, ...]]:
    """Shapes of one row's arrays, of the columns that an episode with this first row has."""
    actions = len(header.agent.action.meanings)
    expected: dict[str, tuple[int | None, ...]] = {
        schema.SCREEN: header.screen_array_shape,
        schema.SCREEN_BEFORE: header.screen_array_shape,
        schema.PLANE: header.agent.observation.plane_shape,
        schema.RAM: (None,),
        schema.FINGERPRINT: (None,),
        schema.STATE: (None,),
        schema.LOGITS: (actions,),
        schema.Q_VALUES: (actions,),
        schema.QUANTILES: (actions, None),
    }
    shapes = {}
    for name, shape in expected.items():
        value = getattr(row, name)
        if value is not None:
            check_shape(name, value, shape)
            shapes[name] = value.shape
    return shapes


def _flat(values: np.ndarray) -> pa.Array:
    """An Arrow array over NumPy's memory. (``pa.array`` imports pandas, which costs 0.25 s.)"""
    bits = np.packbits(values, bitorder="little") if values.dtype == np.bool_ else values
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(bits)])


def _array_field(name: str, column: np.ndarray) -> pa.Field:
    shape = column.shape[1:]
    kind = pa.list_(pa.from_numpy_dtype(column.dtype), int(np.prod(shape)))
    return pa.field(name, kind, False, metadata={"shape": ",".join(map(str, shape))})


def to_numpy(name: str, column: Any, field: pa.Field) -> np.ndarray:
    """A column of a record batch as an array [n, ...] of the field's shape.

    Raises:
        Corrupt: the column is not laid out as ``StepBuffer`` does.
    """
    try:
        if not pa.types.is_fixed_size_list(field.type):
            return _numbers(column)
        shape = [int(n) for n in field.metadata[b"shape"].split(b",")]
        return _numbers(column.flatten()).reshape(len(column), *shape)
    except (TypeError, KeyError, ValueError) as error:
        raise Corrupt(f"column {name}: not laid out as expected: {error}.") from error


def to_pairs(column: Any) -> list[np.ndarray]:
    """The ``forced`` column of a record batch: int32 [n, 2] for each row.

    Raises:
        Corrupt: the column is not laid out as ``StepBuffer`` does.
    """
    try:
        flat = _numbers(column.values.flatten()).reshape(-1, 2)
        offsets = _numbers(column.offsets)
    except (AttributeError, TypeError, ValueError) as error:
        raise Corrupt(f"column {schema.FORCED}: not laid out as expected: {error}.") from error
    return [flat[a:b].copy() for a, b in itertools.pairwise(offsets)]


def _numbers(array: Any) -> np.ndarray:
    """The reverse of ``_flat``: no copy but for booleans. (``to_numpy`` imports pandas, too.)"""
    if array.null_count:
        raise ValueError("it has missing values")
    kind = np.dtype(array.type.to_pandas_dtype())
    if kind.kind not in "biuf":
        raise TypeError(f"it holds {array.type}, expected numbers")
    if not len(array):
        return np.zeros(0, kind)
    _, buffer = array.buffers()
    span = slice(array.offset, array.offset + len(array))
    if kind == np.bool_:
        bits = np.frombuffer(buffer, np.uint8)
        return np.unpackbits(bits, bitorder="little", count=span.stop)[span].astype(np.bool_)
    return np.frombuffer(buffer, kind, count=span.stop)[span]
