"""Scaling and upsampling: what must hold for any map and any geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from agentlens.drawing.colour import ramp, subdued
from agentlens.drawing.scale import Scale, frame_maxima, scale_from, shared_scales
from agentlens.drawing.theme import THEMES
from agentlens.drawing.upsample import upsampler
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import GridSpec, ObservationSpec, TargetInfo
from tests import render_samples as samples

SCREEN = (210, 160)


def geometry(
    size: tuple[int, int], strides: tuple[int, int], crop: tuple[int, int, int, int] | None
) -> tuple[GridSpec, ObservationSpec]:
    def centres(length: int, stride: int) -> tuple[float, ...]:
        return tuple(float(c) for c in range(min(stride // 2, length - 1), length, stride))

    grid = GridSpec(
        rows=centres(size[0], strides[0]), columns=centres(size[1], strides[1]), observation=size
    )
    spec = ObservationSpec(
        pool="none", grayscale="cv2", resize=size, interpolation="cv2-area", stack=1, crop=crop
    )
    return grid, spec


geometries = st.builds(
    geometry,
    st.tuples(st.integers(1, 100), st.integers(1, 100)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from([None, (35, 195, 0, 160), (0, 210, 7, 150), (100, 101, 3, 4)]),
)


@settings(max_examples=60, deadline=None)
@given(geometries, st.floats(-1, 1, width=32))
def test_a_constant_map_is_constant_inside_the_crop_and_zero_outside(
    shapes: tuple[GridSpec, ObservationSpec], value: float
) -> None:
    grid, spec = shapes
    screen = upsampler(grid, spec, SCREEN)(np.full(grid.shape, value, np.float32))
    top, bottom, left, right = spec.screen_rectangle(SCREEN)
    inside = screen[top:bottom, left:right].copy()
    assert (inside == np.float32(value)).all()
    screen[top:bottom, left:right] = 0
    assert not screen.any()


@settings(max_examples=60, deadline=None)
@given(geometries, st.data())
def test_a_single_cell_peaks_at_its_centre(
    shapes: tuple[GridSpec, ObservationSpec], data: st.DataObject
) -> None:
    grid, spec = shapes
    row = data.draw(st.integers(0, grid.shape[0] - 1))
    column = data.draw(st.integers(0, grid.shape[1] - 1))
    values = np.zeros(grid.shape, np.float32)
    values[row, column] = 1
    screen = upsampler(grid, spec, SCREEN)(values)
    y, x = spec.to_screen(grid.rows[row], grid.columns[column], SCREEN)
    top, bottom, left, right = spec.screen_rectangle(SCREEN)
    assume(bottom - top >= spec.resize[0] and right - left >= spec.resize[1])
    inner = 0 < row < grid.shape[0] - 1 and 0 < column < grid.shape[1] - 1
    peaks = np.argwhere(screen == screen.max())  # an outermost cell holds up to the crop's edge
    assert np.abs(peaks - (y, x)).max(axis=1).min() <= (0.5 if inner else 1.0) + 1e-6


def test_hand_computed_places() -> None:
    grid, spec = geometry((80, 80), (40, 40), (35, 195, 0, 160))  # centres at 20 and 60
    spread = upsampler(grid, spec, SCREEN)
    screen = spread(np.array([[0, 0], [1, 0]], np.float32))
    # observation rows 20 and 60 lie at screen rows 35 + 2 * 20.5 - 0.5 = 75.5 and 155.5
    assert screen[75, 10] == 0.0
    assert screen[116, 10] == pytest.approx((116 - 75.5) / 80)
    assert screen[156, 10] == screen[194, 10] == 1.0
    assert screen[195, 10] == 0.0


targets = st.builds(
    TargetInfo,
    name=st.just("t"),
    signed=st.booleans(),
    unit=st.just("nats"),
    meaning=st.just(""),
    noise_floor=st.sampled_from([0.0, 1e-6, 1e-3]),
    role=st.just("actor"),
    display=st.sampled_from(["identity", "sqrt"]),
)


@settings(max_examples=100, deadline=None)
@given(
    targets,
    arrays(np.float32, (3, 3), elements=st.floats(-1e3, 1e3, width=32)),
    st.floats(0, 1e3),
)
def test_heat_stays_in_range_keeps_order_and_leaves_zero_empty(
    target: TargetInfo, values: np.ndarray, limit: float
) -> None:
    values = values if target.signed else np.abs(values)
    scale = scale_from(target, np.array([limit], np.float32))
    heat = scale.heat(values)
    assert heat.dtype == np.float32
    assert np.abs(heat).max() <= 1.0
    assert (heat[np.abs(values) <= target.noise_floor] == 0).all()
    assert (heat * values >= 0).all()
    order = np.argsort(values, axis=None, kind="stable")
    assert (np.diff(heat.ravel()[order]) >= 0).all()
    grey = np.full((3, 3, 3), 40, np.uint8)
    blended = ramp(target.role, target.signed).blend(grey, heat)
    assert (blended[heat == 0] == 40).all()


def test_one_scale_is_the_99th_percentile_of_the_maxima() -> None:
    maxima = np.arange(1, 102, dtype=np.float32)
    scale = scale_from(samples.KL, maxima)
    assert scale.limit == pytest.approx(100.0)
    assert scale.heat(np.array([25.0, 100.0, 400.0])).tolist() == [0.5, 1.0, 1.0]
    assert scale.ticks() == ((0.0, 0.0), (0.25, 6.25), (0.5, 25.0), (0.75, 56.25), (1.0, 100.0))


def test_rare_maps_still_show_and_rounding_does_not() -> None:
    rare = np.zeros(1000, np.float32)
    rare[3] = 0.5
    assert scale_from(samples.KL, rare).limit == 0.5
    rounding = Scale(target=samples.KL, limit=scale_from(samples.KL, rare * 1e-7).limit)
    assert rounding.limit == 0.0
    assert not rounding.heat(np.ones((2, 2), np.float32)).any()
    assert scale_from(samples.KL, np.zeros(0, np.float32)).limit == 0.0


def test_a_pair_of_videos_shares_its_scales() -> None:
    quiet, loud = samples.maps(range(20), strength=0.01), samples.maps(range(20), strength=0.2)
    scales = shared_scales([quiet, loud])
    both = np.concatenate([frame_maxima(quiet, "kl"), frame_maxima(loud, "kl")])
    assert scales["kl"].limit == pytest.approx(np.percentile(both, 99))
    strange = samples.maps(
        range(3),
        targets=(
            samples.VALUE.__class__(
                name="kl", signed=False, unit="bits", meaning="", noise_floor=0, role="actor"
            ),
        ),
    )
    with pytest.raises(InvalidArgument, match="nats"):
        shared_scales([quiet, strange])
    with pytest.raises(UnknownName, match="kl"):
        frame_maxima(quiet, "kll")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("role", ["actor", "critic", "control"])
def test_more_heat_is_always_lighter_or_on_paper_darker(role: str, theme: str) -> None:
    def luminance(rgb: np.ndarray) -> np.ndarray:
        part = rgb / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        way: float = 1.0 if theme == "dark" else -1.0
        return way * linear @ np.array([0.2126, 0.7152, 0.0722])

    assert (np.diff(luminance(ramp(role, False, THEMES[theme]).rgb)) > 0).all()
    signed = ramp(role, True, THEMES[theme])
    assert (np.diff(luminance(signed.rgb[256:])) > 0).all()
    assert (np.diff(luminance(signed.rgb[:255])) < 0).all()
    assert signed.alpha[255] == 0


def test_colours_of_actor_critic_and_control_are_apart() -> None:
    for theme in THEMES.values():
        middles = [ramp(role, False, theme).rgb[160] for role in ("actor", "critic", "control")]
        apart = [np.abs(a - b).max() for i, a in enumerate(middles) for b in middles[:i]]
        assert min(apart) > 60


@pytest.mark.parametrize("theme", THEMES)
def test_a_screen_under_heat_stays_readable_and_ordered(theme: str) -> None:
    screen = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    grey = subdued(screen, THEMES[theme])[0, :, 0]
    assert grey.dtype == np.uint8
    assert (np.diff(grey.astype(int)) >= 0).all()
    assert (grey[0], grey[-1]) == (THEMES[theme].darkest, THEMES[theme].lightest)
