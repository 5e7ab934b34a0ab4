"""Every panel, of whatever size: right shape, new picture, nothing changed, the same twice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agentlens.drawing.context import FrameContext
from agentlens.drawing.film import Film
from agentlens.drawing.panel import PANELS
from agentlens.store.tables import NUMBERS, write_table
from tests import render_samples as samples


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FrameContext]:
    folder = tmp_path_factory.mktemp("panels")
    recording = samples.record(folder / "a")
    single = samples.record(folder / "b", 10, stack=1)
    numbered = samples.record(folder / "d", 10)
    columns = {
        "episode": np.zeros(8, np.int64),
        "step": np.arange(2, 10),
        "0: ball row": np.sin(np.arange(8.0)),
        "constant": np.ones(8),
    }
    about = {"recording": numbered.header.identity}
    write_table(numbered.folder / NUMBERS / "concepts-torso.8", columns, about)
    q_values = samples.record(folder / "c", 10, kind="q_values")
    each = samples.maps(range(40), targets=samples.CONTROLLED, planes=samples.PLANES)
    flat = samples.maps(range(10), strength=0.0)
    other_action = samples.maps(range(10), explained=3)
    return {
        "one map a plane": Film(recording, each).context(20),
        "on paper": Film(recording, each, theme="print").context(20),
        "first step": Film(recording, each).context(0),
        "step without a map": Film(recording, flat, steps=[3, 30]).context(1),
        "empty maps": Film(recording, flat).context(4),
        "another action explained": Film(recording, other_action).context(5),
        "one plane": Film(single, samples.maps(range(10))).context(9),
        "Q-values": Film(q_values, samples.maps(range(10), targets=(samples.GAP,))).context(2),
        "numbers": Film(numbered, None).context(6),
        "a step without numbers": Film(numbered, None).context(1),
        "no maps": Film(recording, None, steps=[7]).context(0),
    }


CASES = (
    "one map a plane",
    "on paper",
    "first step",
    "step without a map",
    "empty maps",
    "another action explained",
    "one plane",
    "Q-values",
    "numbers",
    "a step without numbers",
    "no maps",
)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", PANELS.names())
def test_panel(name: str, case: str, contexts: dict[str, FrameContext]) -> None:
    context = contexts[case]
    before = _frozen(context)
    for panel in PANELS.load(name).for_scene(context.scene, 320):
        for size in (panel.size, (320, 97), (64, 40), (611, 300)):
            resized = dataclasses.replace(panel, size=size)
            picture = resized.draw(context)
            assert picture.dtype == np.uint8
            assert picture.shape == (size[1], size[0], 3)
            picture[:] = 77  # a new picture: painting over it must not reach the next one
            again, thrice = resized.draw(context), resized.draw(context)
            np.testing.assert_array_equal(again, thrice)
            assert not (again == 77).all()
    assert _frozen(context) == before


def test_numbers_stand_at_their_steps(contexts: dict[str, FrameContext]) -> None:
    first, second = contexts["numbers"].scene.numbers
    assert (first.name, second.name) == ("0: ball row", "constant")
    assert np.isnan(first.values[:2]).all()
    np.testing.assert_allclose(first.values[2:], np.sin(np.arange(8.0)), rtol=1e-6)
    panel = PANELS.load("numbers")
    assert len(panel.for_scene(contexts["numbers"].scene, 320)) == 1
    assert panel.for_scene(contexts["no maps"].scene, 320) == ()


@pytest.mark.parametrize("name", PANELS.names())
def test_panel_is_a_final_frozen_dataclass(name: str) -> None:
    panel = PANELS.load(name)
    assert dataclasses.is_dataclass(panel)
    assert panel.__dataclass_params__.frozen
    assert panel.__doc__
    assert "size" in {f.name for f in dataclasses.fields(panel)}


def _frozen(context: FrameContext) -> tuple[bytes, ...]:
    arrays = [context.screen, context.outputs, *context.maps.values()]
    arrays += [context.background, *(p for p in context.planes if p is not None)]
    arrays += [c.values for c in (*context.scene.curves, *context.scene.numbers)]
    return tuple(a.tobytes() for a in arrays)
