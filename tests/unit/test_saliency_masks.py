"""Masks and references against SciPy's definition and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from agentlens.errors import InvalidArgument, ShapeError, UnknownName
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.masks import (
    full_mask,
    gaussian_masks,
    gaussian_operator,
    grid_centres,
    plane_selections,
    square_masks,
)
from agentlens.saliency.references import blur, parse_reference


def batch(observations: torch.Tensor, **more: object) -> FrameBatch:
    count = len(observations)
    return FrameBatch(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.long),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
        **more,
    )


def scipy_mask(shape: tuple[int, int], row: int, column: int, radius: float) -> np.ndarray:
    cross = np.zeros(shape)
    for y, x in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        if 0 <= row + y < shape[0] and 0 <= column + x < shape[1]:
            cross[row + y, column + x] = 1
    soft = gaussian_filter(cross, radius, truncate=4, mode="reflect")
    return soft / soft.max()


@pytest.mark.parametrize("grid", ["centred", "published"])
@pytest.mark.parametrize(("shape", "radius", "stride"), [((80, 80), 5.0, 5), ((23, 31), 3.5, 4)])
def test_gaussian_masks_are_scipys(
    grid: str, shape: tuple[int, int], radius: float, stride: int
) -> None:
    found = gaussian_masks(shape, radius, stride, grid)
    at = 0
    for row in found.grid.rows:
        for column in found.grid.columns:
            if at % 7 == 0 or row == column:
                expected = scipy_mask(shape, int(row), int(column), radius)
                np.testing.assert_allclose(found.masks[at], expected, atol=1e-7)
                assert ((expected == 0) == (found.masks[at] == 0)).all()
            at += 1
    assert at == len(found.masks)
    assert found.masks.dtype == np.float32
    assert found.masks.max() == 1.0
    assert found.masks.min() >= 0.0


def test_grids_lie_where_they_should() -> None:
    assert grid_centres(84, 5, "centred").tolist() == list(range(2, 84, 5))
    assert len(grid_centres(84, 5, "centred")) == 17
    assert grid_centres(80, 5, "published").tolist() == list(range(0, 80, 5))
    assert grid_centres(5, 1, "centred").tolist() == [0, 1, 2, 3, 4]


def test_a_published_mask_in_the_far_corner_covers_the_far_corner() -> None:
    found = gaussian_masks((80, 80), 5.0, 5, "published")
    assert (found.grid.rows[-1], found.grid.columns[-1]) == (75.0, 75.0)
    assert found.masks[-1, 75, 75] > 0.8
    assert found.masks[-1, :40].max() == 0.0


@pytest.mark.parametrize("sigma", [0.5, 3.0, 9.0, 40.0])
def test_the_blur_is_scipys_also_when_wider_than_the_picture(sigma: float) -> None:
    planes = np.random.default_rng(0).random((2, 3, 21, 30)).astype(np.float32)
    found = blur(torch.from_numpy(planes), sigma).numpy()
    expected = gaussian_filter(planes, (0, 0, sigma, sigma), truncate=4, mode="reflect")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert gaussian_operator(21, sigma).sum(1) == pytest.approx(1.0)


def test_the_blur_of_a_frame_does_not_depend_on_its_company() -> None:
    planes = torch.rand(9, 4, 84, 84)
    together = blur(planes, 3.0)
    for index in range(9):
        assert torch.equal(blur(planes[index : index + 1], 3.0)[0], together[index])


def test_squares_tell_their_true_middle() -> None:
    found = square_masks((7, 8), 3, 3)
    assert found.grid.rows == (1.0, 4.0, 6.0)
    assert found.grid.columns == (1.0, 4.0, 6.5)
    assert found.masks[0, :3, :3].sum() == 9 == found.masks[0].sum()
    assert found.masks[-1].sum() == 2
    assert full_mask((3, 5)).grid.rows == (1.0,)


@pytest.mark.parametrize(
    ("radius", "stride", "grid"),
    [
        (0.0, 5, "centred"),
        (1e9, 5, "centred"),
        (float("nan"), 5, "centred"),
        (5.0, 0, "centred"),
        (5.0, 81, "centred"),
        (5.0, 5, "middle"),
    ],
)
def test_impossible_masks_are_refused(radius: float, stride: int, grid: str) -> None:
    with pytest.raises(InvalidArgument, match="expected"):
        gaussian_masks((80, 80), radius, stride, grid)  # type: ignore[arg-type]


def test_planes() -> None:
    assert plane_selections("each", 2) == (("plane 0", "plane 1"), ((0,), (1,)))
    assert plane_selections("newest", 4) == (("newest",), ((3,),))
    with pytest.raises(InvalidArgument, match="'all', 'newest' or 'each'"):
        plane_selections("oldest", 4)


def test_references_by_hand() -> None:
    observations = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    frames = batch(observations, previous=observations - 1)
    median = {"median": np.array([[5, 6], [7, 8]], np.float32)}
    assert parse_reference("constant:0.5").fill(frames, {}).unique().tolist() == [0.5]
    assert parse_reference("median").fill(frames, median).tolist() == [[[[5, 6], [7, 8]]]]
    assert torch.equal(parse_reference("previous").fill(frames, {}), observations - 1)
    assert parse_reference("previous").pictures == {"previous"}
    assert parse_reference("blur").number == 3.0
    with pytest.raises(ShapeError):
        parse_reference("median").fill(frames, {"median": np.zeros((3, 2), np.float32)})
    with pytest.raises(InvalidArgument, match="picture"):
        parse_reference("mean").fill(frames, {})


def test_noise_depends_on_seed_episode_and_step_alone() -> None:
    frames = batch(torch.rand(5, 2, 6, 6))
    noise = parse_reference("noise:3").fill(frames, {})
    one = FrameBatch(
        observations=frames.observations[4:],
        actions=frames.actions[4:],
        states=None,
        episodes=frames.episodes[4:],
        steps=frames.steps[4:],
    )
    assert torch.equal(parse_reference("noise:3").fill(one, {})[0], noise[4])
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(parse_reference("noise:4").fill(frames, {}), noise)
    low, high = frames.observations.amin((1, 2, 3)), frames.observations.amax((1, 2, 3))
    assert (noise.amin((1, 2, 3)) >= low).all()
    assert (noise.amax((1, 2, 3)) <= high).all()


@pytest.mark.parametrize(
    "text", ["blur:0", "blur:x", "median:1", "constant:nan", "noise:-1", "noise:.5", "noise:1e40"]
)
def test_impossible_references_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="reference"):
        parse_reference(text)


def test_an_unknown_reference_lists_the_nearest() -> None:
    with pytest.raises(UnknownName, match="blur"):
        parse_reference("blurr")
