"""Files that version 1 wrote stay readable for ever. A new version adds a folder and changes none.

``store_v1`` holds a finished episode of 40 steps, an unfinished one of 35 and 5 maps.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from agentlens.errors import Corrupt, Incompatible, StoreError
from agentlens.provenance import file_digest
from agentlens.store.layout import read_recording_json, write_recording_json
from agentlens.store.maps import open_maps
from agentlens.store.recording import Recording, open_recording

GOLDEN = Path(__file__).parent / "store_v1"
COLUMNS = (
    "actions",
    "clipped_rewards",
    "emulator_frames",
    "frames_advanced",
    "lives",
    "logits",
    "ram",
    "rewards",
    "stack_resets",
    "state_resets",
    "states",
    "terminated",
    "truncated",
    "values",
)


def digest(*arrays: np.ndarray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()[:16]


def contents(recording: Recording) -> list[tuple[str, str, str, str]]:
    return [
        (
            digest(*(getattr(episode, name) for name in COLUMNS)),
            digest(episode.screens[:], episode.screens_before[:], episode.screens.indices[:]),
            digest(episode.planes[:], episode.observations[:]),
            digest(*episode.forced),
        )
        for episode in recording.episodes
    ]


EXPECTED = [
    ("8a6c62dedb06c33a", "67d7061c4ec2711a", "962978e5f453f827", "e32712d1ba9bf099"),
    ("0d913f349f89797f", "424353de906400f1", "498d7883d7693b93", "be68c3504e23f64e"),
]


def test_the_first_recording_says_what_it_always_said() -> None:
    recording = open_recording(GOLDEN)
    recording.check()
    assert not recording.complete
    assert recording.header.agent.name == "sample"
    assert recording.header.agent.environment.frame_skip == (4, 4)
    assert recording.header.provenance == {"made": "by a test"}
    first, second = recording.episodes
    assert (len(first), first.seed, first.seed_words) == (40, 7, (0, 2**32 - 1))
    assert (first.end, first.raw_return) == ("terminated", 0.0)
    assert (first.last_screen_indices == 3).all()
    assert (len(second), second.seed, second.end) == (35, 8, "")
    assert contents(recording) == EXPECTED


def test_the_first_maps_say_what_they_always_said() -> None:
    maps = open_maps(GOLDEN / "maps" / "x")
    assert maps.targets == ("kl", "value")
    assert maps.grid.rows == (1.0, 4.0, 7.0)
    assert np.array_equal(maps.steps, range(5))
    assert digest(maps.values) == "c7321e2e8e622e2d"


def test_forged_bytes_under_a_right_digest_raise_one_kind_of_error(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(GOLDEN, folder)
    path = folder / "episodes" / "00000.arrow"
    data = path.read_bytes()
    document = read_recording_json(folder)
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, 3500, 30), *rng.integers(len(data) - 3000, len(data), 30)]
    refused = 0
    for place in places:
        altered = bytearray(data)
        altered[place] = rng.integers(256)
        path.write_bytes(altered)
        entry = dataclasses.replace(document.entries[0], digest=file_digest(path))
        write_recording_json(folder, dataclasses.replace(document, entries=(entry,)))
        try:
            contents(open_recording(folder))
        except StoreError:
            refused += 1
    assert 10 < refused < 60


def test_columns_of_later_versions_are_ignored_and_missing_ones_named(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    shutil.copytree(GOLDEN, folder)
    path = folder / "episodes" / "00000.arrow"
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()

    def rewrite(changed: pa.Table) -> Recording:
        with (
            pa.OSFile(str(path), "wb") as sink,
            pa.ipc.new_file(sink, changed.schema) as writer,
        ):
            writer.write_table(changed)
        document = read_recording_json(folder)
        entry = dataclasses.replace(
            document.entries[0], digest=file_digest(path), n_bytes=path.stat().st_size
        )
        write_recording_json(folder, dataclasses.replace(document, entries=(entry,)))
        return open_recording(folder)

    recording = rewrite(table.append_column("mood", pa.array(["good"] * len(table))))
    assert contents(recording) == EXPECTED
    with pytest.raises(Corrupt, match="columns are missing: reward"):
        _ = rewrite(table.drop_columns(["reward"])).episodes[0].actions
    note = table.schema.metadata[b"agentlens"].replace(
        b'"schema_version": 1', b'"schema_version": 3'
    )
    with pytest.raises(Incompatible, match="version 3, this agentlens reads version 1 and 2"):
        _ = rewrite(table.replace_schema_metadata({b"agentlens": note})).episodes[0].actions
