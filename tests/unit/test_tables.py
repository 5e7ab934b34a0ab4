"""Tables of results: Parquet for programs, CSV for people, both with where they come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas
import pytest

from agentlens.errors import Corrupt, InvalidArgument
from agentlens.store.tables import read_table, write_table

COLUMNS = {
    "method": ['a,"b"', "=1+1", "line\nbreak", "ü"],
    "score": np.array([0.1, 1 / 3, 1e-300, -2.0]),
    "episodes": np.array([1, 2, 3, 2**40]),
}


def test_both_files_say_the_same(tmp_path: Path) -> None:
    write_table(tmp_path / "new" / "results.v1", COLUMNS, {"created": "then", "seed": 3})
    columns, provenance = read_table(tmp_path / "new" / "results.v1")
    assert provenance == {"created": "then", "seed": 3}
    frame = pandas.read_csv(tmp_path / "new" / "results.v1.csv", skiprows=1)
    assert list(columns) == list(frame.columns) == list(COLUMNS)
    for name, values in COLUMNS.items():
        assert list(columns[name]) == list(values)
        assert list(frame[name]) == list(values)
    text = (tmp_path / "new" / "results.v1.csv").read_text()
    assert text.startswith('# {"created": "then", "seed": 3}\nmethod,score,episodes\n')


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    for columns in ({}, {"a": [1], "b": [1, 2]}, {"a": [1, "x"]}, {"a": [object()]}):
        with pytest.raises(InvalidArgument):
            write_table(tmp_path / "x", columns, {})
    with pytest.raises(InvalidArgument, match="cannot be written"):
        write_table(tmp_path / "x", {"a": [1]}, {"nan": float("nan")})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Corrupt, match="no such file"):
        read_table(tmp_path / "x")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really PAR1")
    with pytest.raises(Corrupt, match="not a Parquet file"):
        read_table(tmp_path / "x")
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(Corrupt, match="not a table that agentlens wrote"):
        read_table(tmp_path / "x")
