"""The tabulated preprocessing of palette screens is that of pictures, whatever the steps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlens.envs.pictures import PicturePreprocessor
from agentlens.envs.preprocess import ColourPreprocessor, Preprocessor
from agentlens.errors import InvalidArgument
from agentlens.palette import Palette
from agentlens.spec import ObservationSpec

SCREEN = (40, 32)


def palette(rng: np.random.Generator) -> Palette:
    colours = Palette()
    rgb = rng.integers(256, size=(1, 256, 3), dtype=np.uint8)
    colours.learn(np.arange(256, dtype=np.uint8)[None], rgb)
    return colours


def steps(**changed: Any) -> ObservationSpec:
    plain = ObservationSpec(
        pool="rgb", grayscale="cv2", resize=(21, 16), interpolation="cv2-area", stack=2
    )
    return dataclasses.replace(plain, **changed)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    pool=st.sampled_from(["none", "rgb", "grey"]),
    grayscale=st.sampled_from(["cv2", "cv2-bgr", "mean", "weights"]),
    rounding=st.sampled_from(["truncate", "nearest", "float"]),
    interpolation=st.sampled_from(["cv2-area", "cv2-linear", "cv2-nearest", "pillow-bilinear"]),
    late=st.booleans(),
    crop=st.sampled_from([None, (3, 37, 0, 30)]),
    zero=st.sampled_from([(), ((0, 5, 2, 9),)]),
)
def test_tables_are_a_short_cut(seed: int, late: bool, **chosen: Any) -> None:
    chosen["grey_rounding"] = chosen["plane_rounding"] = chosen.pop("rounding")
    luma = (0.3, 0.5, 0.2) if chosen["grayscale"] == "weights" else None
    late = late and chosen["pool"] != "grey" and chosen["interpolation"] != "pillow-bilinear"
    spec = steps(**chosen, luma=luma, grey_after_resize=late)
    rng = np.random.default_rng(seed)
    colours = palette(rng)
    tabulated, plain = Preprocessor(spec, SCREEN, colours), PicturePreprocessor(spec, (*SCREEN, 3))
    for _ in range(3):
        screen, partner = (rng.integers(256, size=SCREEN, dtype=np.uint8) for _ in range(2))
        np.testing.assert_array_equal(
            tabulated.plane(screen, partner),
            plain.plane(colours.to_rgb(screen), colours.to_rgb(partner)),
        )


def test_colour_keeps_what_the_screen_shows() -> None:
    rng = np.random.default_rng(0)
    colours, screen = palette(rng), rng.integers(256, size=SCREEN, dtype=np.uint8)
    spec = steps(grayscale="none", channels=3, resize=SCREEN, zero=((0, 2, 0, 32),))
    partner = rng.integers(256, size=SCREEN, dtype=np.uint8)
    frame = ColourPreprocessor(spec, SCREEN, colours).plane(screen, partner)
    expected = np.maximum(colours.to_rgb(screen), colours.to_rgb(partner)).transpose(2, 0, 1)
    assert frame.shape == spec.plane_shape == (3, *SCREEN)
    np.testing.assert_array_equal(frame[:, 2:], expected[:, 2:])
    assert not frame[:, :2].any()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"channels": 3}, "colour is not greyed"),
        ({"grayscale": "none"}, "screens have colour"),
        ({"source": "environment"}, "own images are not pooled"),
        ({"grayscale": "none", "channels": 3, "pool": "grey"}, "goes with a grayscale"),
        ({"zero": ((0, 99, 0, 2),)}, "zero .* expected"),
        ({"grayscale": "ale", "pool": "none", "grey_after_resize": True}, "a grayscale of RGB"),
    ],
)
def test_steps_that_contradict_each_other(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        steps(**changed)
