"""Maps of states: components by hand, neighbours apart in time, a page to click."""

from __future__ import annotations

import importlib.util
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agentlens.drawing.text import SMALL, text_width
from agentlens.errors import InvalidArgument
from agentlens.network.state_maps import (
    nearest,
    neighbour_map,
    principal_map,
    told_share,
    told_variance,
)
from agentlens.viewer.state_map import StateMap, state_map_page
from agentlens.workflows.state_colours import by_label, by_number, legend_places


def test_components_of_a_plane_are_the_plane() -> None:
    generator = np.random.default_rng(0)
    plane = generator.normal(size=(50, 2)) * [3.0, 1.0]
    layer = plane @ np.linalg.qr(generator.normal(size=(9, 2)))[0].T + 7
    points, share = principal_map(layer)
    assert share == pytest.approx(1.0)
    assert points[:, 0].std() == pytest.approx(1.0)
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    wanted = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    np.testing.assert_allclose(distances * wanted[0, 1] / distances[0, 1], wanted, atol=1e-6)


def test_a_layer_that_never_changes_is_one_point() -> None:
    points, share = principal_map(np.ones((5, 4)))
    assert (points == 0).all()
    assert share == 0


def test_neighbours_in_time_do_not_count() -> None:
    points = np.zeros((40, 2))
    steps = np.repeat(np.arange(20), 2) * 30  # each step in two games
    games = np.tile([0, 1], 20)
    chosen = nearest(points, games, steps)
    apart = np.abs(steps[chosen] - steps[:, None])
    assert ((apart >= 50) | (games[chosen] != games[:, None])).all()
    with pytest.raises(InvalidArgument, match="longer games"):
        nearest(points, np.zeros(40), np.arange(40))


def test_what_neighbours_tell_by_hand() -> None:
    neighbours = np.array([[1, 1], [0, 0], [3, 3], [2, 2]])
    assert told_variance(np.array([1.0, 1.0, 5.0, 5.0]), neighbours) == 1.0
    assert told_variance(np.array([1.0, 5.0, 1.0, 5.0]), neighbours) == -3.0
    assert np.isnan(told_variance(np.array([1.0, np.nan, 5.0, np.nan]), neighbours))
    assert told_share(np.array([0, 0, 2, 1]), neighbours) == 0.5


def test_entries_of_a_legend_stand_in_lines() -> None:
    words = ("NOOP", "FIRE", "RIGHT", "LEFT", "RIGHTFIRE", "LEFTFIRE")
    assert {y for _, y in legend_places(words, 420)} == {0}
    places = legend_places(words * 3, 420)
    assert len(places) == len(set(places)) == 18
    assert places == sorted(places, key=lambda place: place[::-1])
    ends = [
        x + 14 + text_width(text, SMALL) for (x, _), text in zip(places, words * 3, strict=True)
    ]
    assert max(ends) <= 420


def test_a_missing_package_is_named() -> None:
    if importlib.util.find_spec("umap") is not None:
        pytest.skip("umap-learn is installed")
    with pytest.raises(InvalidArgument, match="umap-learn"):
        neighbour_map(np.zeros((5, 2)))


def hostile_map() -> StateMap:
    """Three states whose names would run if they were taken for markup."""
    evil = "</script><img src=x onerror=alert(1)>"
    frames = []
    for shade in (10, 120, 240):
        buffer = io.BytesIO()
        Image.fromarray(np.full((8, 6, 3), shade, np.uint8)).save(buffer, "PNG")
        frames.append(buffer.getvalue())
    return StateMap(
        title=f"an agent {evil}",
        lead="three states",
        points=np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.5]]),
        names=["first", evil, "third"],
        frames=frames,
        colourings=[
            by_number("value", np.array([0.0, np.nan, 2.0]), "tells nothing"),
            by_label("action", np.array([0, 1, 1]), ("NOOP", evil), "tells all"),
        ],
        frame_shape=(8, 6),
    )


def test_texts_are_data_never_markup() -> None:
    page = state_map_page(hostile_map())
    assert "<img src=x" not in page
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no chromium on the path")
    with playwright.sync_playwright() as run:
        chromium = run.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def test_a_click_shows_the_frame(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.html"
    path.write_text(state_map_page(hostile_map()), encoding="utf-8")
    page, errors = browser.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    page.goto(path.as_uri())
    assert page.inner_text("#name") == "first"
    page.locator("circle").nth(2).click()  # the chosen one lies on top: last in the drawing
    shown = page.inner_text("#name")
    assert shown in ("first", "third")
    page.focus("#map")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#name") != shown
    page.select_option("#colour", label="action")
    assert page.inner_text("#note") == "tells all"
    assert page.evaluate("document.getElementById('frame').naturalWidth") == 6
    assert errors == []
