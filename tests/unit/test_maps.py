"""Map sets: what is appended comes back sorted, resumed is the same as uninterrupted, nothing
mixes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from agentlens.errors import (
    AlreadyExists,
    Corrupt,
    DtypeError,
    Incompatible,
    InvalidArgument,
    Locked,
    NotFinite,
    ShapeError,
)
from agentlens.store.maps import MapHeader, MapWriter, open_maps
from tests.store_samples import MAPS, map_values


def append(writer: MapWriter, start: int, stop: int, episode: int = 0) -> None:
    steps = np.arange(start, stop)
    writer.append(episode, steps, steps % 3, map_values(steps, episode))


def test_what_was_appended_comes_back(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "maps/x", MAPS) as writer:
        append(writer, 0, 10)
        append(writer, 10, 13)
        append(writer, 4, 6, episode=1)
    maps = open_maps(tmp_path / "maps/x")
    assert maps.values.dtype == np.float32
    assert np.array_equal(maps.values[:13], map_values(np.arange(13)))
    assert np.array_equal(maps.values[13:], map_values(np.arange(4, 6), 1))
    assert np.array_equal(maps.steps, [*range(13), 4, 5])
    assert np.array_equal(maps.episodes, [0] * 13 + [1] * 2)
    assert np.array_equal(maps.explained_actions, np.array([*range(13), 4, 5]) % 3)
    assert (maps.targets, maps.planes, maps.grid) == (("kl", "value"), ("all",), MAPS.grid)
    assert maps.header == MAPS


def test_out_of_order_is_sorted_and_empty_is_empty(tmp_path: Path) -> None:
    with MapWriter(tmp_path / "x", MAPS) as writer:
        pass
    assert open_maps(tmp_path / "x").values.shape == (0, 2, 1, 3, 2)
    with MapWriter(tmp_path / "x", MAPS) as writer:
        append(writer, 3, 5, episode=1)
        append(writer, 20, 30)
        append(writer, 0, 20)
    maps = open_maps(tmp_path / "x")
    assert np.array_equal(maps.steps, [*range(30), 3, 4])
    assert np.array_equal(maps.values[:30], map_values(np.arange(30)))


def test_a_recording_may_grow_but_not_change(tmp_path: Path) -> None:
    def header(**digests: str) -> MapHeader:
        return dataclasses.replace(MAPS, recording_digests=digests)

    with MapWriter(tmp_path, header(**{"0": "ab"})) as writer:
        append(writer, 0, 2)
    with MapWriter(tmp_path, header(**{"0": "ab", "1": "cd"})) as writer:
        append(writer, 0, 2, episode=1)
    maps = open_maps(tmp_path)
    assert maps.episodes.tolist() == [0, 0, 1, 1]
    assert maps.header.recording_digests == {"0": "ab", "1": "cd"}
    with pytest.raises(AlreadyExists, match="another recording"):
        MapWriter(tmp_path, header(**{"0": "ef", "1": "cd"}))
    assert open_maps(tmp_path).header == maps.header


def test_the_same_header_resumes_and_another_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with MapWriter(folder, MAPS) as writer:
        append(writer, 0, 10)
    later = dataclasses.replace(MAPS, provenance={"created": "now"})
    with MapWriter(folder, later) as writer:
        assert writer.done == {(0, step) for step in range(10)}
        with pytest.raises(InvalidArgument, match="there already"):
            append(writer, 9, 12)
        append(writer, 10, 12)
    assert np.array_equal(open_maps(folder).values, map_values(np.arange(12)))
    other = dataclasses.replace(MAPS, options={**MAPS.options, "radius": 4.0})
    with pytest.raises(AlreadyExists, match="another options"):
        MapWriter(folder, other)
    with MapWriter(folder, other, force=True) as writer:
        assert writer.done == frozenset()
    assert len(open_maps(folder).steps) == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis").write_text("1")
    for force in (False, True):
        with pytest.raises(AlreadyExists, match="no map set"):
            MapWriter(tmp_path / "mine", MAPS, force=force)


def test_bad_batches_leave_no_trace(tmp_path: Path) -> None:
    steps = np.arange(2)
    good = map_values(steps)
    bad = good.copy()
    bad[1, 0, 0, 2, 1] = np.inf
    with MapWriter(tmp_path / "x", MAPS) as writer:
        with pytest.raises(NotFinite, match=r"inf at index \(1, 0, 0, 2, 1\)"):
            writer.append(0, steps, steps, bad)
        with pytest.raises(DtypeError, match="float64, expected float32"):
            writer.append(0, steps, steps, good.astype(np.float64))
        with pytest.raises(ShapeError, match="values has shape"):
            writer.append(0, steps, steps, good[:, :1])
        with pytest.raises(ShapeError, match="actions has shape"):
            writer.append(0, steps, steps[:1], good)
        with pytest.raises(InvalidArgument, match="there already"):
            writer.append(0, np.zeros(2, int), steps, good)
        with pytest.raises(Locked, match="is being written by process"):
            MapWriter(tmp_path / "x", MAPS)
        writer.append(0, steps, steps, good)
    assert np.array_equal(open_maps(tmp_path / "x").values, good)


def test_a_cut_at_any_byte_resumes_to_the_same_maps(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with MapWriter(whole, MAPS) as writer:
        for start in range(0, 12, 3):
            append(writer, start, start + 3)
    expected = open_maps(whole).values
    sizes = {name: (whole / name).stat().st_size for name in ("values.f32", "values.chain")}
    rng = np.random.default_rng(0)
    for name, size in sizes.items():
        for number, cut in enumerate(rng.integers(0, size, 12)):
            folder = tmp_path / f"{name}-{number}"
            folder.mkdir()
            for file in ("maps.json", *sizes):
                (folder / file).write_bytes((whole / file).read_bytes())
            with (folder / name).open("r+b") as file:
                file.truncate(int(cut))
            with MapWriter(folder, MAPS) as writer:
                missing = sorted({(0, step) for step in range(12)} - writer.done)
                assert [step for _, step in missing] == list(range(12 - len(missing), 12))
                for _, step in missing:
                    append(writer, step, step + 1)
            assert np.array_equal(open_maps(folder).values, expected)


@pytest.mark.parametrize("name", ["maps.json", "values.f32", "values.chain"])
def test_every_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "x"
    with MapWriter(folder, MAPS) as writer:
        for start in range(0, 6, 3):
            append(writer, start, start + 3)
    path = folder / name
    data = path.read_bytes()
    newline = len(data) * 8 - 8
    rng = np.random.default_rng(1)
    for bit in rng.choice(newline, 60, replace=False):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(altered)
        with pytest.raises((Corrupt, Incompatible), match=str(folder)):
            open_maps(folder)
    path.write_bytes(data)
    assert len(open_maps(folder).steps) == 6
