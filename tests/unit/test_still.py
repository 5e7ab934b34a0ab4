"""One step as png, pdf and svg; the scale is the video's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agentlens.drawing.draw import Draw
from agentlens.drawing.figure import fitting_labels
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.drawing.still import still
from agentlens.errors import AlreadyExists, InvalidArgument, MissingExtra, UnknownName
from agentlens.store.recording import Recording
from tests import render_samples as samples


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return samples.record(tmp_path_factory.mktemp("recording") / "r", 20)


def test_a_png_is_the_page_of_the_video(recording: Recording, tmp_path: Path) -> None:
    maps = samples.maps(range(20))
    film = Film(recording, maps)
    page = arrange(film.scene, Draw(layout="full", scale=1)).draw(film.context(13))
    path = still(recording, maps, tmp_path / "x.png", step=13, draw=Draw(scale=1))
    with Image.open(path) as picture:
        np.testing.assert_array_equal(np.asarray(picture), page)
    with pytest.raises(AlreadyExists):
        still(recording, maps, path, step=13)


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
@pytest.mark.parametrize("explained", [True, False])
def test_a_figure_keeps_its_text(
    recording: Recording, tmp_path: Path, suffix: str, explained: bool
) -> None:
    maps = samples.maps(range(20)) if explained else None
    path = still(recording, maps, tmp_path / f"x{suffix}", step=4)
    data = path.read_bytes()
    assert data.startswith(b"%PDF" if suffix == ".pdf" else b"<?xml")
    if suffix == ".svg":
        assert b"sample-ppo" in data
        assert (b"nats" in data) == explained
    again = still(recording, maps, tmp_path / f"y{suffix}", step=4)
    assert again.read_bytes() == data


@pytest.mark.parametrize(
    ("letters", "kept"), [(60, [0, 1, 2, 3, 4]), (16, [0, 2, 4]), (12, [0, 4])]
)
def test_labels_of_a_narrow_bar_do_not_touch(letters: float, kept: list[int]) -> None:
    texts = ["0", "0.014", "0.056", "0.12", "0.22"]
    labels = [(place / 4, text) for place, text in enumerate(texts)]
    # in 16 letters 0.056 ends at 10.5 and 0.22 begins at 12; in 12, at 8.5 and 8
    assert fitting_labels(labels, letters) == kept
    assert fitting_labels([], letters) == []


def test_a_step_without_a_map_is_drawn_too(recording: Recording, tmp_path: Path) -> None:
    path = still(recording, samples.maps([3, 4]), tmp_path / "x.png", step=9, draw=Draw(scale=1))
    assert path.exists()


def test_bad_steps_and_suffixes(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="step 20"):
        still(recording, None, tmp_path / "x.png", step=20)
    with pytest.raises(UnknownName, match=r"\.pdf"):
        still(recording, None, tmp_path / "x.jpg", step=2)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_matplotlib_names_the_extra(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "agentlens.drawing.figure", raising=False)
    with pytest.raises(MissingExtra, match=r"agentlens\[plots\]"):
        still(recording, None, tmp_path / "x.pdf", step=2)
    assert list(tmp_path.iterdir()) == []
