"""Recordings from strangers: nothing is written through links, and what lies is refused."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agentlens.errors import AgentlensError, Corrupt, DiskError, InvalidArgument, ManifestError
from agentlens.mapping import decode
from agentlens.printable import controls, escaped
from agentlens.provenance import file_digest
from agentlens.spec import ActionSpec
from agentlens.store import schema
from agentlens.store.artefacts import Artefact, write_artefact
from agentlens.store.layout import read_recording_json, write_recording_json
from agentlens.store.maps import MapWriter, open_maps
from agentlens.store.recording import Recording, RecordingWriter, open_recording
from agentlens.store.sealed_json import parse
from agentlens.store.tables import write_table
from tests.store_samples import MAPS, append_rows, header, map_values, record

STEPS = 40


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file outside of every recording."""
    path = tmp_path / "secret"
    path.write_bytes(b"precious")
    return path


def maps_in(folder: Path) -> Path:
    place = folder / "maps" / "x"
    with MapWriter(place, MAPS) as writer:
        writer.append(0, np.arange(3), np.arange(3), map_values(np.arange(3)))
    return place


@pytest.mark.parametrize("name", [".lock", "values.f32", "values.chain"])
def test_maps_are_not_written_through_a_link(tmp_path: Path, secret: Path, name: str) -> None:
    place = maps_in(record(tmp_path / "r", (STEPS,)))
    (place / name).unlink(missing_ok=True)
    (place / name).symlink_to(secret)
    with pytest.raises(DiskError, match="symbolic link"), MapWriter(place, MAPS) as writer:
        writer.append(0, np.arange(5, 7), np.arange(2), map_values(np.arange(5, 7)))
    assert secret.read_bytes() == b"precious"


@pytest.mark.parametrize("linked", ["maps", "maps/x"])
def test_maps_do_not_leave_the_recording(tmp_path: Path, linked: str) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    outside = tmp_path / "outside"
    outside.mkdir()
    if linked == "maps/x":
        (folder / "maps").mkdir()
    (folder / linked).symlink_to(outside)
    with pytest.raises(DiskError, match="symbolic link"):
        maps_in(folder)
    assert not list(outside.iterdir())


@pytest.mark.parametrize("linked", ["words", "numbers", "numbers/more"])
def test_tables_do_not_leave_the_recording(tmp_path: Path, linked: str) -> None:
    """Where describe, dissect, excite and others write by default."""
    folder, outside = record(tmp_path / "r", (STEPS,)), tmp_path / "outside"
    outside.mkdir()
    artefact = Artefact(purpose="p", agent="a", about={}, tensors={})
    (outside / "recording.json").write_text("{}")  # no recording to be trusted
    (folder / linked).parent.mkdir(exist_ok=True)
    (folder / linked).symlink_to(outside)
    with pytest.raises(DiskError, match="symbolic link"):
        write_table(folder / linked / "sentences", {"step": [1]}, {})
    with pytest.raises(DiskError, match="symbolic link"):
        write_artefact(folder / linked / "x", artefact)
    assert [path.name for path in outside.iterdir()] == ["recording.json"]


@pytest.mark.parametrize("name", ["episodes", "agent", "maps", "recording.json", ".lock"])
def test_a_recording_is_not_resumed_through_a_link(tmp_path: Path, secret: Path, name: str) -> None:
    folder, outside = tmp_path / "r", tmp_path / "outside"
    with RecordingWriter(folder, header(episodes=2)) as writer:
        append_rows(writer.episode(0, seed=0, seed_words=()), STEPS)
    outside.mkdir()
    (folder / name).rename(tmp_path / "moved") if (folder / name).exists() else None
    (folder / name).symlink_to(outside if name in ("episodes", "agent", "maps") else secret)
    with pytest.raises(AgentlensError, match="symbolic link"):
        RecordingWriter(folder, header(episodes=2), resume=True)
    assert secret.read_bytes() == b"precious"
    assert not list(outside.iterdir())


def test_a_recording_may_lie_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    assert len(open_recording(record(tmp_path / "link" / "r", (3,))).episodes[0]) == 3


def forged(folder: Path, change: Callable[[pa.Table], pa.Table], **entry: Any) -> Recording:
    """A finished episode changed and sealed again; ``entry``: what its table row says."""
    path = folder / "episodes" / "00000.arrow"
    with pa.OSFile(str(path)) as file:
        table = change(pa.ipc.open_file(file).read_all())
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=schema.BATCH_STEPS)
    document = read_recording_json(folder)
    row = dataclasses.replace(
        document.entries[0], digest=file_digest(path), n_bytes=path.stat().st_size, **entry
    )
    write_recording_json(folder, dataclasses.replace(document, entries=(row,)))
    return open_recording(folder)


def everything(recording: Recording) -> None:
    """Touch what readers touch."""
    for episode in recording.episodes:
        _ = episode.actions, episode.rewards, episode.logits, episode.values, episode.lives
        _ = episode.forced, episode.screens[:], episode.observations[:], episode.fingerprints
        _ = episode.last_screen, episode.frames_advanced, episode.states


def with_column(name: str, values: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        field = pa.field(name, values.type, False, table.schema.field(name).metadata)
        return table.set_column(place, field, values)

    return change


def same(table: pa.Table) -> pa.Table:
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_column("action", pa.array([7] * STEPS, pa.int32())), "actions run from 7 to 7"),
        (with_column("action", pa.array([-1] * STEPS, pa.int32())), "actions run from -1"),
        (with_column("action", pa.array([1.5] * STEPS)), "column action is double"),
        (
            with_column("reward", pa.array([float("nan")] * STEPS, pa.float32())),
            "column reward holds a value that is no finite number",
        ),
        (
            with_column("lives", pa.array(["a"] * STEPS).dictionary_encode()),
            "column lives is dictionary",
        ),
        (lambda table: table.append_column("action", table["action"]), "a column is there twice"),
        (lambda table: table.drop_columns(["logits"]), "columns are missing: logits or q_values"),
        (lambda table: table.drop_columns(["ram"]), "columns are missing: ram or fingerprint"),
        (lambda table: table.slice(0, 33), "steps, expected"),
        (lambda table: table.slice(0, 20), "1 batches, expected 2"),
        (
            with_column("logits", pa.array([[0.0] * 2] * STEPS, pa.list_(pa.float32(), 2))),
            "column logits has rows of",
        ),
    ],
)
def test_sealed_columns_that_lie_are_refused(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    with pytest.raises(Corrupt, match=message):
        everything(forged(folder, change))


@pytest.mark.parametrize("steps", [1, 32, 33, 41, 100, 2**31 - 1])
def test_another_number_of_steps_than_the_files_is_refused(tmp_path: Path, steps: int) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    with pytest.raises(Corrupt, match=r"batches, expected|steps, expected"):
        everything(forged(folder, same, steps=steps))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("header.seed", 10**40),
        ("header.screen_shape", [10**9, 10**9]),
        ("header.screen_shape", [-1, 1]),
        ("header.episodes_wanted", 10**30),
        ("header.agent.observation.stack", 10**9),
        ("header.agent.observation.resize", [10**6, 10**6]),
        ("header.agent.name", "x\n\x1b[2Kepisode 0: exact, 9 steps"),
        ("header.agent.name", "\u202eexe"),
        ("header.ticks_per_second", 0),
        ("header.world", {"rom_md5": None, "actions": None}),
        ("header.world", {"rom_md5": [], "actions": 7}),
        ("header.world", {"actions": [["NOOP"]]}),
        ("header.provenance", {"versions": {"torch": "2\x1b[2Kepisode 0: exact"}}),
        ("schema_version", 1),
        ("episodes.0.index", 10**30),
        ("episodes.0.raw_return", 10**400),
        ("episodes.0.seed_words", [-5]),
        ("episodes.0.end", "verified"),
    ],
)
def test_documents_that_lie_are_refused(tmp_path: Path, path: str, value: Any) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    document = json.loads((folder / "recording.json").read_text())
    place: Any = document
    *way, last = path.split(".")
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    reseal(folder / "recording.json", document)
    with pytest.raises(Corrupt):
        open_recording(folder)


def test_an_episode_twice_is_refused(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    document = json.loads((folder / "recording.json").read_text())
    document["episodes"] *= 2
    reseal(folder / "recording.json", document)
    with pytest.raises(Corrupt, match="twice"):
        open_recording(folder)


def reseal(path: Path, document: dict[str, Any]) -> None:
    import hashlib

    document.pop("digest", None)
    body = json.dumps(document, indent=1).removesuffix("\n}").encode()
    seal = f',\n "digest": "{hashlib.sha256(body).hexdigest()}"\n}}\n'
    path.write_bytes(body + seal.encode())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("targets", []),
        ("planes", []),
        ("grid.rows", []),
        ("grid.columns", []),
        ("grid.observation", [0, 84]),
        ("grid.rows", [2.0] * 3),
        ("options", {"seed": "0\x1b[2J"}),
        ("options", {"a\nepisode 0: exact": 1}),
        ("provenance", {"versions": {"torch": ["\x07"]}}),
        ("method", "\u202ex"),
    ],
)
def test_sealed_map_headers_that_lie_are_refused(tmp_path: Path, path: str, value: Any) -> None:
    place = maps_in(tmp_path)
    document = json.loads((place / "maps.json").read_text())
    *way, last = path.split(".")
    table = document["header"]
    for part in way:
        table = table[part]
    table[last] = value
    reseal(place / "maps.json", document)
    with pytest.raises(Corrupt):
        open_maps(place)


def test_maps_that_are_cut_while_they_are_open_stay_whole(tmp_path: Path) -> None:
    place = maps_in(tmp_path)
    maps = open_maps(place)
    os.truncate(place / "values.f32", 0)
    np.testing.assert_array_equal(maps.values, map_values(np.arange(3)))


def test_large_maps_stay_whole_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentlens.store.maps._IN_MEMORY", 8)
    test_maps_that_are_cut_while_they_are_open_stay_whole(tmp_path)


def test_a_byte_flipped_after_the_first_read_is_noticed(tmp_path: Path) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    episode = open_recording(folder).episodes[0]
    assert len(episode.rewards) == STEPS
    path = folder / "episodes" / "00000.arrow"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt, match="altered"):
        _ = episode.logits


@pytest.mark.parametrize("damage", ["digest", "cut", "gone"])
def test_a_damaged_chain_is_noticed_by_a_check(tmp_path: Path, damage: str) -> None:
    folder = record(tmp_path / "r", (STEPS,))
    path = folder / "episodes" / "00000.chain"
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-100] if damage == "cut" else data[:-5] + b"0000\n")
    recording = open_recording(folder)
    everything(recording)  # the episode itself is sound
    with pytest.raises(Corrupt, match="chain does not fit the episode, which is sound"):
        recording.check()


def test_a_folder_that_is_not_utf8_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    with pytest.raises(InvalidArgument, match="expected a name in UTF-8"):
        RecordingWriter(folder, header())
    assert not list(tmp_path.iterdir())


def test_control_characters_are_written_out() -> None:
    assert escaped("a\x1b[2K\u202eb\nc") == "a\\x1b[2K\\u202eb\nc"
    assert escaped("a\nb", keep="") == "a\\nb"
    assert escaped("ü 漢字 🎮") == "ü 漢字 🎮"
    assert controls("ü 漢字 🎮\t\x9b") == "\t\x9b"
    with pytest.raises(ManifestError, match=r"action\.reason: holds the control character"):
        decode(
            ActionSpec,
            {"meanings": ["A"], "selection": "greedy", "reason": "\x1b]0;x\x07"},
            "action",
        )
    with pytest.raises(InvalidArgument, match="agent name"):
        header(name="a\x07")


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,' * 100_000,
        "[" * 1_000_000,
        "[" + "{}," * 4_000_000 + "{}]",
        "{" + ",".join(f'"{n}":0' for n in range(200_000)) + ',"0":1}',
        "9" * 10_000,
    ],
    ids=["open tables", "open lists", "many tables", "a key twice", "digits"],
)
def test_documents_that_explode_are_refused_at_once(text: str) -> None:
    with pytest.raises(Corrupt):
        parse(text, "it")
