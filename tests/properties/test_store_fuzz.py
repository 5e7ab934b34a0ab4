"""Whatever the bytes, the store raises an AgentlensError or gives a correct object; nothing else.

``AGENTLENS_FUZZ`` says how many cases each format gets; ``make fuzz`` sets it high.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agentlens.errors import AgentlensError
from agentlens.store.layout import read_recording_json
from agentlens.store.maps import MapWriter, open_maps
from agentlens.store.recording import Recording, open_recording
from agentlens.store.tables import read_table, write_table
from tests.store_samples import MAPS, map_values, record

CASES = int(os.environ.get("AGENTLENS_FUZZ", "2000"))
WORDS = (b"\x00", b"\xff" * 8, b"-1", b"9" * 30, b"null", b"[[[[", b'{"a":', b"\x1b[2K", b"1e999")


def altered(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, cut, doubled or put in."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(out) + 1))
        kind = int(rng.integers(5))
        if kind == 0 and place < len(out):
            out[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del out[place : place + int(rng.integers(1, 200))]
        elif kind == 2:
            out[place:place] = WORDS[int(rng.integers(len(WORDS)))]
        elif kind == 3:
            out[place:place] = out[place : place + int(rng.integers(1, 400))]
        else:
            del out[place:]
    return bytes(out)


def touch(recording: Recording) -> None:
    recording.check()
    for episode in recording.episodes:
        assert len(episode.actions) == len(episode) == len(episode.screens[:])
        assert np.isfinite(episode.rewards).all()
        assert episode.observations[:2].shape[1:] == recording.header.agent.observation.shape


def all_cases(path: Path, restore: bytes, read: Callable[[], object], seed: int) -> int:
    """How many of the cases were read as something."""
    rng, read_as_something = np.random.default_rng(seed), 0
    around = sorted(p.name for p in path.parent.parent.iterdir())
    for _ in range(CASES):
        path.write_bytes(altered(restore, rng))
        try:
            read()
            read_as_something += 1
        except AgentlensError:
            pass
    path.write_bytes(restore)
    read()
    assert sorted(p.name for p in path.parent.parent.iterdir()) == around
    return read_as_something


@pytest.mark.parametrize("name", ["recording.json", "episodes/00000.arrow", "episodes/00001.chain"])
def test_recordings(tmp_path: Path, name: str) -> None:
    folder = record(tmp_path / "r", (40, 33))
    if name.endswith("chain"):
        shutil.move(folder / "episodes/00001.arrow", folder / "episodes/00001.arrow.part")
        document = read_recording_json(folder)
        from dataclasses import replace

        from agentlens.store.layout import write_recording_json

        write_recording_json(
            folder, replace(document, entries=document.entries[:1], complete=False)
        )
    path = folder / name
    all_cases(path, path.read_bytes(), lambda: touch(open_recording(folder)), 1)


@pytest.mark.parametrize("name", ["maps.json", "values.f32", "values.chain"])
def test_map_sets(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "maps"
    with MapWriter(folder, MAPS) as writer:
        for start in (0, 5):
            steps = np.arange(start, start + 5)
            writer.append(0, steps, steps, map_values(steps))

    def read() -> None:
        maps = open_maps(folder)
        assert maps.values.shape == (len(maps.steps), *maps.header.shape)
        assert np.isfinite(maps.values).all()

    path = folder / name
    all_cases(path, path.read_bytes(), read, 2)


def test_tables(tmp_path: Path) -> None:
    base = tmp_path / "t" / "table"
    write_table(base, {"a": [1, 2, 3], "b": ["x", "y", None]}, {"made": "here"})
    path = base.with_name("table.parquet")
    all_cases(path, path.read_bytes(), lambda: read_table(base), 3)
