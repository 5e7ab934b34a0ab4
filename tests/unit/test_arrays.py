"""The array door: checks that fail with both sides named, and the stack rule by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlens import arrays, errors


def planes_of(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1)


def test_stack_fills_with_zeros_before_the_first_plane() -> None:
    stacks = arrays.stack_planes(planes_of(5, 6, 7), np.array([True, False, False]), 3, "zeros")
    assert stacks[:, :, 0, 0].tolist() == [[0, 0, 5], [0, 5, 6], [5, 6, 7]]


def test_stack_repeats_the_plane_of_the_reset_step() -> None:
    resets = np.array([True, False, True, False])
    stacks = arrays.stack_planes(planes_of(5, 6, 7, 8), resets, 3, "repeat")
    assert stacks[:, :, 0, 0].tolist() == [[5, 5, 5], [5, 5, 6], [7, 7, 7], [7, 7, 8]]


@given(
    resets=st.lists(st.booleans(), min_size=1, max_size=30),
    depth=st.integers(1, 5),
    fill=st.sampled_from(["zeros", "repeat"]),
)
def test_stack_equals_a_queue_played_step_by_step(
    resets: list[bool], depth: int, fill: str
) -> None:
    planes = np.arange(1, len(resets) + 1, dtype=np.uint8).reshape(-1, 1, 1)
    queue: list[int] = []
    expected = []
    for step, (plane, reset) in enumerate(zip(planes.ravel().tolist(), resets, strict=True)):
        if reset or step == 0:
            queue = [plane if fill == "repeat" else 0] * depth
        queue = [*queue[1:], plane]
        expected.append(queue)
    stacks = arrays.stack_planes(planes, np.array(resets), depth, fill)
    assert stacks[:, :, 0, 0].tolist() == expected


def test_scaling_divides_as_the_networks_do() -> None:
    planes = np.arange(256, dtype=np.uint8)
    scaled = arrays.scale_planes(planes, 255.0)
    assert scaled.dtype == np.float32
    assert scaled[51] == np.float32(51) / np.float32(255)


def test_messages_name_both_sides() -> None:
    with pytest.raises(errors.ShapeError, match=r"obs has shape \(2, 3\), expected \(any, 4\)"):
        arrays.check_shape("obs", np.zeros((2, 3)), (None, 4))
    with pytest.raises(errors.DtypeError, match="obs is float64, expected uint8"):
        arrays.check_dtype("obs", np.zeros(2), "uint8")
    with pytest.raises(errors.NotFinite, match=r"map holds nan at index \(1,\)"):
        arrays.check_finite("map", np.array([0.0, np.nan]))


@pytest.mark.parametrize("value", [1.5, 1.0, True, "1"])
def test_only_whole_numbers_are_steps(value: object) -> None:
    arrays.check_whole("step", [0, np.int64(3)])
    with pytest.raises(errors.InvalidArgument, match="expected a whole number"):
        arrays.check_whole("step", [0, value])
