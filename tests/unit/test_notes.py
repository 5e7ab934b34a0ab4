"""Boxes and sentences of a recording's tables, as panels draw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.drawing.panels.boxes import BoxedGame
from agentlens.drawing.panels.caption import Caption, wrapped
from agentlens.drawing.panels.numbers import Numbers, left_out
from agentlens.drawing.still import still
from agentlens.drawing.text import text_width
from agentlens.errors import InvalidArgument
from agentlens.store.recording import Recording
from agentlens.store.tables import NUMBERS, write_table
from tests import render_samples as samples


def write_notes(recording: Recording, identity: str = "") -> None:
    about = {"recording": identity or recording.header.identity}
    boxes = {
        "episode": [0, 0],
        "step": [7, 7],
        "object": ["ball", "own paddle"],
        "group": ["ball", "own paddle"],
        "top": [50, 100],
        "bottom": [54, 116],
        "left": [20, 140],
        "right": [22, 144],
        "drawn": [True, False],
    }
    write_table(recording.folder / "objects", boxes, about)
    cited = {"episode": [0], "step": [7], "object": ["ball"], "cited": [True]}
    write_table(recording.folder / "words" / "attributes", cited, about)
    lines = {"episode": [0], "step": [7], "sentence": ["LEFT (0.61): the ball is near."]}
    write_table(recording.folder / "words" / "sentences", lines, about)


def test_a_recording_with_tables_has_boxes_and_a_caption(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a")
    assert not Film(recording, None, steps=[7]).scene.has_boxes
    write_notes(recording)
    film = Film(recording, None, steps=[7, 8])
    context = film.context(0)
    assert [(box.name, box.cited, box.drawn) for box in context.boxes] == [
        ("ball", True, True),
        ("own paddle", False, False),
    ]
    assert context.caption == "LEFT (0.61): the ball is near."
    assert film.context(1).boxes == ()
    page = arrange(film.scene, Draw(panels=("header", "boxes", "caption"), scale=2))
    with_note, without = page.draw(context).copy(), page.draw(film.context(1))
    assert with_note.shape == without.shape
    assert not np.array_equal(with_note, without)


def test_boxes_stand_around_their_object(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a")
    write_notes(recording)
    film = Film(recording, None, steps=[7, 8])
    (place,) = arrange(film.scene, Draw(panels=("boxes",), scale=2)).placements
    context = film.context(0)
    picture = place.panel.draw(context)
    accent = np.array(film.scene.theme.accents["actor"])
    rows, columns = np.nonzero((picture[24:] == accent).all(-1))
    corner = picture.shape[1] // 2 - 160
    assert rows.max() == 2 * 55 - 1
    assert (columns.min() - corner) == 2 * 19


def test_boxes_in_any_layout(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a")
    with pytest.raises(InvalidArgument, match="agentlens objects RECORDING writes it"):
        arrange(Film(recording, None, steps=[7]).scene, Draw(boxes=True))
    write_notes(recording)
    film = Film(recording, samples.maps(range(12)), steps=[7, 8])
    for layout in ("full", "compact", "slide"):
        plain, boxed = (arrange(film.scene, Draw(layout=layout, boxes=on)) for on in (False, True))
        assert plain.size == boxed.size
        pictures = [page.draw(film.context(0)).copy() for page in (plain, boxed)]
        (place,) = [p for p in boxed.placements if isinstance(p.panel, BoxedGame)]
        width, height = place.panel.size
        inside = np.s_[place.top : place.top + height, place.left : place.left + width]
        drawn = (pictures[1][inside] == place.panel.draw(film.context(0))).all()
        assert drawn, layout
        for picture in pictures:
            picture[inside] = 0
        assert np.array_equal(*pictures), "nothing else differs"


def test_a_figure_draws_no_boxes(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a")
    write_notes(recording)
    with pytest.raises(InvalidArgument, match=r"a \.pdf figure draws none"):
        still(recording, None, tmp_path / "x.pdf", step=7, draw=Draw(boxes=True))


def test_notes_of_another_recording_are_refused(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a")
    write_notes(recording, "another")
    with pytest.raises(InvalidArgument, match="another recording"):
        Film(recording, None, steps=[7])


def write_numbers(recording: Recording, table: str, **numbers: float) -> None:
    columns = {name.replace("_", " "): [value] * 9 for name, value in numbers.items()}
    about = {"recording": recording.header.identity}
    write_table(
        recording.folder / NUMBERS / table,
        {"episode": [0] * 9, "step": list(range(9)), **columns},
        about,
    )


def test_numbers_of_one_name_in_two_tables_are_two_numbers(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a", 10)
    write_numbers(recording, "excite-torso.2.unit.1", energy=2.0, own=1.0, agreed=7.0)
    write_numbers(recording, "excite-torso.5.unit.1", energy=5.0, agreed=7.0)
    curves = Film(recording, None).scene.numbers
    assert {curve.name: float(curve.values[0]) for curve in curves} == {
        "excite-torso.2.unit.1: energy": 2.0,
        "excite-torso.5.unit.1: energy": 5.0,
        "own": 1.0,
        "agreed": 7.0,
    }


def test_numbers_beyond_eight_are_said_to_be_left_out(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "a", 10)
    eight = {f"number_{n}": float(n) for n in range(8)}
    write_numbers(recording, "first", **eight)
    film = Film(recording, None)
    (panel,) = Numbers.for_scene(film.scene, 320)
    write_numbers(recording, "second", the_ninth=9.0, the_tenth=10.0)
    more = Film(recording, None)
    (longer,) = Numbers.for_scene(more.scene, 320)
    assert left_out(more.scene.numbers[8:]) == "2 more not drawn: the ninth, the tenth"
    before, after = panel.draw(film.context(3)), longer.draw(more.context(3))
    room = len(after) - len(before)
    assert room > 0
    np.testing.assert_array_equal(before[: -room - 1], after[: len(before) - room - 1])
    assert (after[-room - 6 :] != np.array(more.scene.theme.surface)).any(), "a line is written"


def test_words_are_broken_at_their_spaces() -> None:
    lines = wrapped("the ball is 14 px below its own paddle and coming", 120)
    assert " ".join(lines) == "the ball is 14 px below its own paddle and coming"
    assert all(text_width(line) <= 120 for line in lines)
    assert len(lines) > 1
    assert wrapped("immeasurably", 4) == ["immeasurably"]
    assert Caption(size=(64, 40)).size == (64, 40)
