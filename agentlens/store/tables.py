"""Results of measure and compare: a table as Parquet for programs and as CSV for people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from agentlens.errors import AlreadyExists, Corrupt, InvalidArgument
from agentlens.store.atomic import checked_folder, disk_errors, make_folder, write_file
from agentlens.store.sealed_json import parse

NUMBERS = "numbers"
"""Folder in a recording's of tables with one row a step, whose columns beside ``episode`` and
``step`` are curves: a video draws them."""

_KEY = b"agentlens"


def write_table(
    path: Path | str,
    columns: Mapping[str, Sequence[Any] | np.ndarray],
    provenance: Mapping[str, Any],
) -> None:
    """Write ``<path>.parquet`` and ``<path>.csv``, replacing both.

    Args:
        path: without a suffix.
        columns: equally long, one-dimensional; numbers, strings, booleans, ``None``.
        provenance: goes into Parquet's metadata and into the CSV's first line, after ``# ``
            (pandas: ``read_csv(path, skiprows=1)``).

    Raises:
        InvalidArgument: no columns, unequal lengths, or a column of mixed kinds.
        DiskError: the old files are then unchanged.
    """
    base = checked_folder(path)
    if not columns or len({len(column) for column in columns.values()}) != 1:
        lengths = ", ".join(f"{name}: {len(column)}" for name, column in columns.items())
        raise InvalidArgument(f"columns of {lengths or 'nothing'}: expected equal lengths.")
    try:
        note = json.dumps(provenance, allow_nan=False)
        table = pa.table({name: pa.array(column) for name, column in columns.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError) as error:
        raise InvalidArgument(f"{base.name}: cannot be written as a table: {error}.") from error
    sink = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({_KEY: note}), sink, compression="zstd")
    text = io.StringIO()
    text.write(f"# {note}\n")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table.column_names)
    rows.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    make_folder(base.parent)
    write_file(base.with_name(f"{base.name}.parquet"), sink.getvalue())
    write_file(base.with_name(f"{base.name}.csv"), text.getvalue().encode())


def table_exists(path: Path | str) -> bool:
    """Whether ``<path>.parquet`` is there."""
    return Path(f"{path}.parquet").is_file()


def remove_table(path: Path | str) -> None:
    """Remove ``<path>.parquet`` and ``<path>.csv``, if there.

    Raises:
        DiskError: one of them cannot be removed.
    """
    for suffix in (".parquet", ".csv"):
        file = Path(f"{path}{suffix}")
        with disk_errors(file, "remove"):
            file.unlink(missing_ok=True)


def refuse_existing_table(path: Path | str) -> None:
    """Say so before hours of work that a table lies there.

    Raises:
        AlreadyExists: ``<path>.parquet`` or ``<path>.csv`` is there.
    """
    for suffix in (".parquet", ".csv"):
        file = Path(f"{path}{suffix}")
        if file.exists():
            raise AlreadyExists(f"{file}: a table is there already; --force replaces it.")


def read_table(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read ``<path>.parquet``: its columns and its provenance.

    Raises:
        Corrupt: no such file, or not a table of agentlens.
        DiskError: it cannot be read.
    """
    base = checked_folder(path)
    file = base.with_name(f"{base.name}.parquet")
    if not file.is_file():
        raise Corrupt(f"{file}: there is no such file.")
    try:
        with disk_errors(file, "read"):
            table = parquet.read_table(io.BytesIO(file.read_bytes()))
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise Corrupt(f"{file}: not a Parquet file: {error}.") from error
    note = (table.schema.metadata or {}).get(_KEY)
    if note is None:
        raise Corrupt(f"{file}: not a table that agentlens wrote.")
    try:
        columns = {
            name: column.to_numpy()
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    except (pa.ArrowException, ValueError) as error:
        raise Corrupt(f"{file}: a column cannot be read: {error}.") from error
    return columns, parse(note, str(file))
