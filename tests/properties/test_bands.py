"""Resizing only what changed gives the bits of resizing everything, whatever changed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.envs.bands import Bands, resizes_by_bands
from agentlens.envs.preprocess import Preprocessor
from agentlens.envs.protocols import resolve
from agentlens.palette import Palette

SCREEN = (210, 160)


def palette(seed: int, count: int = 256) -> Palette:
    """Random colours for the first indices."""
    colours = Palette()
    rng = np.random.default_rng(seed)
    indices = np.arange(count, dtype=np.uint8)[None]
    rgb = rng.integers(256, size=(1, count, 3), dtype=np.uint8)
    colours.learn(indices, rgb, rng.integers(256, size=(1, count), dtype=np.uint8))
    return colours


def altered(screen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A copy with a few rectangles of noise, possibly none."""
    screen = screen.copy()
    for _ in range(rng.integers(4)):
        top, left = rng.integers(SCREEN[0]), rng.integers(SCREEN[1])
        part = screen[top : top + rng.integers(1, 40), left : left + rng.integers(1, 40)]
        part[...] = rng.integers(256, size=part.shape, dtype=np.uint8)
    return screen


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), preset=st.sampled_from(["sb3-atari", "ale-vector"]))
def test_planes_do_not_depend_on_what_was_seen_before(seed: int, preset: str) -> None:
    spec = resolve("ALE/Pong-v5", preset=preset).observation
    rng = np.random.default_rng(seed)
    colours = palette(seed)
    kept = Preprocessor(spec, SCREEN, colours)
    screen = rng.integers(256, size=SCREEN, dtype=np.uint8)
    for _ in range(6):
        partner = altered(screen, rng)
        screen = altered(partner, rng)
        plane = kept.plane(screen, partner)
        np.testing.assert_array_equal(
            plane, Preprocessor(spec, SCREEN, colours).plane(screen, partner)
        )
        plane[:] = 0  # what a caller does to a plane does not come back


def test_planes_equal_the_resized_whole() -> None:
    spec = resolve("ALE/Pong-v5", preset="sb3-atari").observation
    colours = palette(3)
    preprocessor, rng = Preprocessor(spec, SCREEN, colours), np.random.default_rng(3)
    screen = rng.integers(256, size=SCREEN, dtype=np.uint8)
    for _ in range(10):
        partner = altered(screen, rng)
        screen = altered(partner, rng)
        pooled = np.maximum(colours.rgb[screen], colours.rgb[partner])
        grey = cv2.cvtColor(pooled, cv2.COLOR_RGB2GRAY)
        expected = cv2.resize(grey, (84, 84), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(preprocessor.plane(screen, partner), expected)


def test_new_colours_reach_rows_that_did_not_change() -> None:
    spec = resolve("ALE/Pong-v5", preset="sb3-atari").observation
    colours = palette(1, 7)
    preprocessor = Preprocessor(spec, SCREEN, colours)
    screen = np.full(SCREEN, 7, np.uint8)
    preprocessor.plane(screen, screen)
    white = np.full((1, 1, 3), 255, np.uint8)
    colours.learn(np.full((1, 1), 7, np.uint8), white, white[..., 0])
    assert (preprocessor.plane(screen, screen) == 255).all()


def test_a_screen_changed_in_place_counts_as_changed() -> None:
    bands = Bands(SCREEN, (84, 84))
    picture = np.zeros(SCREEN, np.uint8)
    assert len(bands.changed(picture)[0]) == 42
    assert len(bands.changed(picture)[0]) == 0
    picture[11, 5] = 1
    where, rows = bands.changed(picture)
    assert where.tolist() == [2]
    assert rows[0].sum() == 1


@pytest.mark.parametrize(
    ("shape", "size", "possible"),
    [
        ((210, 160), (84, 84), True),
        ((250, 160), (84, 84), False),  # bands of 42 rows: no dyadic fraction
        ((211, 160), (84, 84), False),  # one band only
        ((84, 84), (210, 160), False),  # enlarging
        ((210, 81), (84, 84), False),  # rows of a band are no whole words
    ],
)
def test_where_bands_are_possible(
    shape: tuple[int, int], size: tuple[int, int], possible: bool
) -> None:
    assert resizes_by_bands(shape, size) == possible


def test_a_palette_finds_one_unknown_pixel() -> None:
    colours = Palette()
    known = np.zeros(SCREEN, np.uint8)
    colours.learn(known, np.zeros((*SCREEN, 3), np.uint8), known)
    for row, column in ((0, 0), (100, 77), (209, 159)):
        screen = known.copy()
        assert colours.knows(screen, known)
        screen[row, column] = 2
        assert not colours.knows(screen, known)
