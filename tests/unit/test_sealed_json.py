"""Strict JSON: what two readers might understand differently is refused, with one error type."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.errors import Corrupt, Incompatible, InvalidArgument
from agentlens.store.recording import open_recording
from agentlens.store.sealed_json import parse, read_document, write_document
from tests.store_samples import record

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(min_size=1), PLAIN, max_size=4))
def test_every_document_comes_back(content: dict[str, object]) -> None:
    content = {f"x{key}": value for key, value in content.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.json"
        write_document(path, "test", content)
        found = read_document(path, "test")
    assert {key: found[key] for key in content} == content


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:01eE-.Nantrufls \\', max_size=40))
def test_only_one_error_escapes(data: bytes | str) -> None:
    with contextlib.suppress(Corrupt):
        parse(data, "f")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ('{"a": {"b": 1, "c": 2, "b": 1}}', "'b' is there twice"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("[1e999]", "1e999 is too large"),
        ("[" * 33 + "]" * 33, "nested deeper than 32"),
        ("[" * 100_000 + "]" * 100_000, "nested deeper than 32"),
        ("[" + "9" * 5000 + "]", "not the JSON expected"),
        ("", "not the JSON expected"),
        ('{"a": 1} x', "not the JSON expected"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(Corrupt, match=words):
        parse(text, "f")


def test_what_cannot_be_written_leaves_the_old_document(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    write_document(path, "test", {"a": 1})
    for bad in (float("nan"), b"bytes", object(), {(1, 2): 3}):
        with pytest.raises(InvalidArgument, match="cannot be written as JSON"):
            write_document(path, "test", {"a": bad})
    assert read_document(path, "test")["a"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_kind_version_and_digest_are_checked(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (3,))
    path = folder / "recording.json"
    text = path.read_text()
    for old, new, error, words in (
        ('"schema_version": 2', '"schema_version": 3', Incompatible, "version 3.*update agentlens"),
        ('"schema_version": 2', '"schema_version": "2"', Corrupt, "expected a whole number"),
        ('"kind": "recording"', '"kind": "map set"', Corrupt, "not an agentlens recording"),
        ('"seed": 7', '"seed": 8', Corrupt, "altered after it was written"),
        ("\n}\n", "\n}\n\n", Corrupt, "altered after it was written"),
        ("{", "", Corrupt, "not the JSON expected"),
    ):
        path.write_text(text.replace(old, new, 1) if old != "\n}\n" else text + "\n")
        with pytest.raises(error, match=words):
            open_recording(folder)
    path.unlink()
    with pytest.raises(Corrupt, match="there is no such file; expected an agentlens recording"):
        open_recording(folder)
    with pytest.raises(Corrupt, match="no such file"):
        open_recording(tmp_path / "nowhere")
    with pytest.raises(InvalidArgument, match="NUL"):
        open_recording("a\0b")


def test_well_sealed_nonsense_is_corrupt_and_later_keys_are_ignored(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (3,))
    path = folder / "recording.json"
    good = json.loads(path.read_text())
    for key in ("kind", "schema_version", "digest"):
        good.pop(key)
    row = good["episodes"][0]
    later = {**good, "mood": "good", "episodes": [{**row, "colour": "red"}]}
    write_document(path, "recording", later)
    assert open_recording(folder).episodes[0].end == "terminated"
    for change, words in (
        ({"episodes": 3}, "expected a list of episodes"),
        ({"episodes": [{**row, "steps": "3"}]}, r"episodes\[0\].steps: expected int"),
        ({"episodes": [{**row, "steps": -3}]}, "steps"),
        ({"palette": ["zz"] * 256}, "entry 0 is 'zz'"),
        ({"palette": []}, "256 entries"),
        ({"header": {**good["header"], "wings": 2}}, "header.wings: unknown key"),
        ({"header": None}, "header: expected a table"),
        ({"agent_files": []}, "table of agent files"),
    ):
        write_document(path, "recording", {**good, **change})
        with pytest.raises(Corrupt, match=words):
            open_recording(folder)
