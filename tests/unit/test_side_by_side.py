"""Agents beside each other: game time, shared scales, the difference of two heats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.drawing.colour import subdued
from agentlens.drawing.film import Film
from agentlens.drawing.scale import shared_scales
from agentlens.drawing.side_by_side import (
    Column,
    difference_on_screen,
    side_by_side,
    side_by_side_page,
    together,
)
from agentlens.drawing.video import count_frames
from agentlens.errors import AlreadyExists, InvalidArgument
from agentlens.store.recording import Recording
from tests.render_samples import maps, record


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(tmp_path_factory.mktemp("game") / "r", 24)


def pair(recording: Recording, strengths: tuple[float, float] = (0.05, 0.02)) -> list[Column]:
    sets = [maps(range(24), strength=s) for s in strengths]
    scales = shared_scales(sets)
    films = [Film(recording, m, scales=scales) for m in sets]
    return [Column(label=f"agent {i}", place=i, film=f) for i, f in enumerate(films)]


def test_films_of_one_game_change_together_and_last_as_long_as_it(recording: Recording) -> None:
    films = [c.film for c in pair(recording)]
    shown = list(together(films))
    assert [frames for frames, _, _ in shown] == [(i, i) for i in range(24)]
    assert [ticks for _, _, ticks in shown] == [films[0].ticks(i) for i in range(24)]
    assert not any(any(over) for _, over, _ in shown)


def test_a_film_that_ends_first_keeps_its_last_picture(recording: Recording) -> None:
    long, short = (Film(recording, None, steps=slice(0, n)) for n in (20, 5))
    shown = list(together([long, short]))
    assert shown[-1][0] == (19, 4)
    assert shown[-1][1] == (False, True)
    assert shown[4][1] == (False, False)
    assert sum(ticks for _, _, ticks in shown) == sum(long.ticks(i) for i in range(20))


def test_equal_maps_have_no_difference_and_the_stronger_one_is_warm(recording: Recording) -> None:
    same = [c.film.context(10) for c in pair(recording, (0.05, 0.05))]
    flat = difference_on_screen(*same)
    np.testing.assert_array_equal(flat, subdued(same[0].screen))
    first, second = (c.film.context(10) for c in pair(recording, (0.05, 0.01)))
    warm, cool = difference_on_screen(first, second), difference_on_screen(second, first)
    changed = (warm != flat).any(axis=2)
    assert changed.any()
    redder = (warm.astype(int) - cool)[changed]
    assert (redder[:, 0] > 0).mean() > 0.95
    assert (redder[:, 2] < 0).mean() > 0.95


@pytest.mark.parametrize("difference", [False, True])
def test_a_picture_has_the_declared_size_in_multiples_of_16(
    recording: Recording, difference: bool
) -> None:
    columns = pair(recording)
    shown = side_by_side_page(
        columns, title="same states", facts="one scale", difference=difference
    )
    picture = shown.draw([c.film.context(3) for c in columns], [False, True])
    assert picture.shape == (shown.size[1], shown.size[0], 3)
    assert shown.size[0] % 16 == shown.size[1] % 16 == 0
    again = shown.draw([c.film.context(3) for c in columns], [False, True])
    assert np.array_equal(picture, again)


def test_a_video_holds_every_change_and_is_not_overwritten(
    recording: Recording, tmp_path: Path
) -> None:
    columns = [*pair(recording), Column(label="plain", place=2, film=Film(recording, None))]
    shown = side_by_side_page(columns, title="three", scale=1)
    path = side_by_side(shown, tmp_path / "three.mp4")
    frames, seconds = count_frames(path)
    assert frames == 24
    assert seconds == pytest.approx(sum(columns[0].film.ticks(i) for i in range(24)) / 60, abs=0.1)
    with pytest.raises(AlreadyExists):
        side_by_side(shown, path)


def test_what_cannot_stand_side_by_side_is_refused(recording: Recording) -> None:
    columns = pair(recording)
    with pytest.raises(InvalidArgument, match="5 columns: expected 1 to 4"):
        side_by_side_page([*columns, *columns, columns[0]], title="")
    plain = Column(label="plain", place=1, film=Film(recording, None))
    with pytest.raises(InvalidArgument, match="both with saliency maps"):
        side_by_side_page([columns[0], plain], title="", difference=True)
    with pytest.raises(InvalidArgument, match="scale 9"):
        side_by_side_page(columns, title="", scale=9)


@pytest.mark.parametrize(("count", "across", "down"), [(2, 4, 1), (3, 3, 2)])
def test_the_game_in_colour_stands_with_the_heat(
    recording: Recording, count: int, across: int, down: int
) -> None:
    """Beside it for two agents; above it for three, whose page would be too wide."""
    columns = [*pair(recording), *pair(recording)][:count]
    page = side_by_side_page(columns, title="own games", games=True)
    plain = side_by_side_page(columns, title="own games")
    picture = page.draw([c.film.context(3) for c in columns], [False, True, False][:count])
    assert picture.shape == (page.size[1], page.size[0], 3)
    assert page.size[0] > across * 320
    assert (page.size[1] - plain.size[1] > 400) == (down == 2)
    screen = np.repeat(np.repeat(columns[0].film.context(3).screen, 2, 0), 2, 1)
    windows = [
        (y, x)
        for y in range(80, 200)
        for x in range(40)
        if np.array_equal(picture[y : y + 420, x : x + 320], screen)
    ]
    assert len(windows) == 1
