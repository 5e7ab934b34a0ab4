"""Scales that settle, and a live film that shows what a film of the recording shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.drawing import live
from agentlens.drawing.context import FrameContext
from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.layout import LAYOUTS, arrange
from agentlens.drawing.live import Decision, LiveFilm, RunningScale
from agentlens.errors import InvalidArgument
from tests import render_samples as samples


def limits(scale: RunningScale, maxima: list[float]) -> list[float]:
    return [scale.see(largest).limit for largest in maxima]


def test_a_scale_follows_the_warm_up_and_then_stays() -> None:
    scale = RunningScale(samples.VALUE, warm_up=3)
    found = limits(scale, [1.0, 3.0, 2.0, 50.0, 0.1])
    # 99th percentiles of (1), (1, 3), (1, 2, 3), linear between neighbours.
    assert found == pytest.approx([1.0, 2.98, 2.98, 2.98, 2.98])
    assert scale.settled


def test_a_scale_waits_for_a_map_above_rounding() -> None:
    scale = RunningScale(samples.VALUE, warm_up=2)
    floor = samples.VALUE.noise_floor
    assert limits(scale, [0.0, floor / 2, 0.0]) == [0.0, 0.0, 0.0]
    assert not scale.settled
    first = scale.see(0.5).limit
    assert floor < first <= 0.5
    assert scale.settled
    assert scale.see(9.0).limit == first


def film(folder: Path, length: int, warm_up: int) -> tuple[Film, list[FrameContext]]:
    """A film of the recorded sample game, and the live contexts of the same decisions."""
    recording = samples.record(folder, length)
    maps = samples.maps(range(length))
    live_film = LiveFilm(recording.header, maps.header, warm_up=warm_up)
    contexts = []
    for step in range(length):
        row = samples.row(step)
        decision = Decision(
            row=row,
            screen=samples.COLOURS[row.screen],
            maps=maps.values[step],
            explained=row.action,
        )
        contexts.append(live_film.context(decision))
    return Film(recording, maps), contexts


def test_live_contexts_are_those_of_the_recording(tmp_path: Path) -> None:
    whole, contexts = film(tmp_path / "r", 40, warm_up=5)
    for ours, theirs in zip(contexts, whole.contexts(), strict=True):
        for name in ("step", "seconds", "taken", "explained", "total_reward", "lives"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert np.array_equal(ours.screen, theirs.screen)
        assert np.allclose(ours.row_values, theirs.row_values)
        assert ours.maps.keys() == theirs.maps.keys()
        for name, values in ours.maps.items():
            assert np.array_equal(values, theirs.maps[name])
        for mine, other in zip(ours.planes, theirs.planes, strict=True):
            assert (mine is None) == (other is None)
            assert mine is None or np.array_equal(mine, other)
        for mine, other in zip(ours.scene.curves, theirs.scene.curves, strict=True):
            assert (mine.name, mine.unit, mine.role) == (other.name, other.unit, other.role)
            shown = slice(0, ours.frame + 1)
            assert np.allclose(mine.values[shown], other.values[shown])
            assert np.isnan(mine.values[ours.frame + 1 :]).all()


def test_curves_show_the_last_decisions_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "WINDOW", 8)
    _, contexts = film(tmp_path / "r", 20, warm_up=5)
    value = contexts[-1].scene.curves[0]
    assert contexts[-1].frame == 7
    assert np.allclose(value.values, [samples.row(step).value for step in range(12, 20)])


def test_the_header_says_what_the_scale_rests_on(tmp_path: Path) -> None:
    _, contexts = film(tmp_path / "r", 8, warm_up=5)
    assert contexts[0].scene.method.startswith("scale settling: step 1 of 5")
    assert contexts[-1].scene.method.startswith("scale of the first 5 steps · perturbation")
    scales = {context.scene.layers[0].scale.limit for context in contexts[4:]}
    assert len(scales) == 1


def test_every_layout_draws_the_first_and_a_later_decision(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "r", 1)
    maps = samples.maps(range(8), targets=samples.CONTROLLED, planes=samples.PLANES)
    for layout in LAYOUTS:
        live_film = LiveFilm(recording.header, maps.header)
        page = arrange(live_film.scene, Draw(layout=layout, scale=1))
        for step in range(2):
            row = samples.row(step)
            decision = Decision(
                row=row, screen=samples.COLOURS[row.screen], maps=maps.values[step], explained=0
            )
            picture = page.draw(live_film.context(decision))
        assert picture.shape == (page.size[1], page.size[0], 3)


def test_bars_of_q_values_reach_as_far_as_the_warm_up(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "r", 1, kind="q_values")
    maps = samples.maps(range(12), targets=(samples.GAP,))
    live_film = LiveFilm(recording.header, maps.header, warm_up=4)
    rows = [samples.row(step, "q_values") for step in range(12)]
    ends = []
    for step, row in enumerate(rows):
        decision = Decision(
            row=row,
            screen=samples.COLOURS[row.screen],
            maps=maps.values[step],
            explained=row.action,
        )
        choices = live_film.context(decision).scene.choices
        assert choices.kind == "q_value"
        ends.append(choices.high)
    assert ends[3:] == [max(float(np.max(row.q_values)) for row in rows[:4])] * 9


def test_a_warm_up_of_nothing_is_refused(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "r", 1)
    with pytest.raises(InvalidArgument, match="warm-up of 0"):
        LiveFilm(recording.header, samples.maps(range(1)).header, warm_up=0)
