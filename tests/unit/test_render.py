"""From a recording and maps to a file: durations, choices of steps, and what is refused."""

from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from agentlens.drawing import caption
from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.heat import heat_on_screen
from agentlens.drawing.layout import LAYOUTS, arrange
from agentlens.drawing.panel import PANELS
from agentlens.drawing.render import render
from agentlens.drawing.scale import fixed_scales
from agentlens.drawing.screens import moving_pixels, moving_things
from agentlens.drawing.still import still
from agentlens.drawing.theme import THEMES
from agentlens.drawing.video import count_frames
from agentlens.errors import AlreadyExists, InvalidArgument, ShapeError, UnknownName
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.spec import GridSpec
from agentlens.store.recording import Recording
from agentlens.workflows.video import drawable
from tests import render_samples as samples

SMALL = Draw(scale=1)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return samples.record(tmp_path_factory.mktemp("recording") / "r")


def test_real_time_shows_each_decision_as_long_as_it_took(
    recording: Recording, tmp_path: Path
) -> None:
    path = render(recording, samples.maps(range(12)), tmp_path / "x.mp4", draw=SMALL)
    with av.open(str(path)) as file:
        times = [round(float(f.time) * 60) for f in file.decode(video=0)]
    frames = [2 + s % 3 for s in range(12)]
    assert times == [sum(frames[:s]) for s in range(12)]
    assert count_frames(path) == (12, pytest.approx(sum(frames) / 60, abs=1e-3))


def test_a_given_fps_shows_all_decisions_equally_long(recording: Recording, tmp_path: Path) -> None:
    path = render(
        recording, None, tmp_path / "x.mp4", steps=slice(0, 15), draw=Draw(fps=7.5, scale=1)
    )
    assert count_frames(path) == (15, pytest.approx(2.0, abs=1e-3))


def test_steps_are_the_explained_ones_unless_chosen(recording: Recording) -> None:
    maps = samples.maps(range(5, 9))
    assert Film(recording, maps).steps == [5, 6, 7, 8]
    assert Film(recording, None).steps == list(range(40))
    assert Film(recording, maps, steps=slice(-3, None)).steps == [37, 38, 39]
    film = Film(recording, maps, steps=[8, 20])
    assert film.steps == [8, 20]
    assert film.context(0).maps.keys() == {"kl", "value"}
    assert film.context(1).maps == {}
    assert film.context(1).explained is None


def test_what_a_step_holds_is_what_was_recorded(recording: Recording) -> None:
    film = Film(recording, samples.maps(range(40)))
    context = film.context(33)
    np.testing.assert_array_equal(context.screen, samples.COLOURS[samples.screen(33)])
    assert [int(plane[0, 0]) for plane in context.planes if plane is not None] == [30, 31, 32, 33]
    assert context.explained_action is None  # kl and value know no explained action
    assert context.total_reward == 2.0  # the rewards of steps 14 and 29, before this one
    assert context.seconds == pytest.approx(99 / 60)
    assert context.row_values.sum() == pytest.approx(1.0)
    outputs = np.exp(np.sin(np.arange(6) + 11) * 2)
    shares = outputs / outputs.sum()
    assert film.scene.choices.names == ("NOOP / FIRE", "RIGHT / RIGHTFIRE", "LEFT / LEFTFIRE")
    merged = [shares[0] + shares[1], shares[2] + shares[4], shares[3] + shares[5]]
    np.testing.assert_allclose(context.row_values, merged, rtol=1e-5)


def test_planes_from_before_the_episode_are_empty(recording: Recording) -> None:
    first = Film(recording, None).context(1)
    assert [plane is None for plane in first.planes] == [True, True, False, False]


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_layouts_have_sizes_that_encoders_like(
    recording: Recording, layout: str, scale: int
) -> None:
    planes = samples.PLANES
    for maps in (
        samples.maps(range(3), targets=samples.CONTROLLED, planes=planes),
        None,
        samples.maps(range(3), targets=(samples.KL,), planes=planes),
    ):
        film = Film(recording, maps, steps=[0, 1])
        page = arrange(film.scene, Draw(layout=layout, scale=scale))
        assert page.size[0] % 16 == page.size[1] % 16 == 0
        assert layout != "slide" or page.size[0] * 9 == page.size[1] * 16
        boxes = [(p.left, p.top, *p.panel.size) for p in page.placements]
        for index, (left, top, width, height) in enumerate(boxes):
            assert left + width <= page.size[0] - 16
            assert top + height <= page.size[1] - 16
            for other in boxes[index + 1 :]:
                apart = (
                    left + width <= other[0]
                    or other[0] + other[2] <= left
                    or top + height <= other[1]
                    or other[1] + other[3] <= top
                )
                assert apart
        assert page.draw(film.context(0)).shape == (page.size[1], page.size[0], 3)


def test_chosen_panels_stand_in_rows(recording: Recording, tmp_path: Path) -> None:
    film = Film(recording, samples.maps(range(3), targets=samples.CONTROLLED))
    with pytest.raises(InvalidArgument, match=r"boxes, caption, numbers: nothing to show.*objects"):
        arrange(film.scene, Draw(scale=1, panels=PANELS.names()))
    shown = set(PANELS.names()) - {"boxes", "caption", "numbers"}  # no tables for them
    page = arrange(film.scene, Draw(scale=1, panels=tuple(sorted(shown))))
    assert len(page.placements) == 2 + len(shown)  # two targets: two heats, two bars
    path = render(
        recording,
        samples.maps(range(3)),
        tmp_path / "x.png",
        draw=Draw(panels=("game", "actions"), scale=1),
    )
    assert path.stat().st_size > 100
    with pytest.raises(UnknownName, match="game"):
        arrange(film.scene, Draw(panels=("gane",)))
    with pytest.raises(InvalidArgument, match="heat: nothing to show"):
        arrange(Film(recording, None).scene, Draw(panels=("heat",)))


def test_named_targets_are_drawn_in_the_order_given(recording: Recording, tmp_path: Path) -> None:
    maps = samples.maps(range(3), targets=(samples.KL, samples.GAP, samples.VALUE))
    assert [layer.target.name for layer in Film(recording, maps).scene.layers] == ["kl", "value"]
    for names in (["gap"], ["value", "kl"], ["gap", "kl", "value"]):
        film = Film(recording, maps, targets=names)
        assert [layer.target.name for layer in film.scene.layers] == names
        assert list(film.context(0).maps) == names
        path = render(
            recording,
            maps,
            tmp_path / f"{len(names)}.png",
            draw=Draw(heats=names, scale=1),
            force=True,
        )
        picture = tmp_path / "still.png"
        still(recording, maps, picture, step=0, draw=Draw(heats=names, scale=1), force=True)
        with Image.open(picture) as page:
            assert page.size == arrange(film.scene, Draw(scale=1)).size
        assert path.is_file()
    with pytest.raises(UnknownName, match="kl"):
        Film(recording, maps, targets=["k"])
    with pytest.raises(InvalidArgument, match=r"such as \['kl'\]"):
        Film(recording, maps, targets="kl")
    for names in ([], ["kl", "kl"]):
        with pytest.raises(InvalidArgument, match="each once"):
            Film(recording, maps, targets=names)


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"steps": [40]}, InvalidArgument, "step 40: the episode has steps 0 to 39"),
        ({"steps": [-1]}, InvalidArgument, "step -1"),
        ({"steps": slice(50, 60)}, InvalidArgument, "no step"),
        ({"episode": 1}, InvalidArgument, "episode 1: the recording has 1, numbered 0 to 0"),
        ({"draw": Draw(heats=("kl",))}, InvalidArgument, "targets kl: there are no maps"),
        ({"draw": Draw(limits={"kl": 1.0})}, UnknownName, "target"),
        ({"draw": Draw(panels=("gane",))}, UnknownName, "'game'"),
    ],
)
def test_bad_choices_are_refused_and_leave_nothing(
    recording: Recording,
    tmp_path: Path,
    choices: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        render(recording, None, tmp_path / "x.mp4", **choices)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fps": 0.05}, InvalidArgument, "fps"),
        ({"scale": 0}, InvalidArgument, "scale 0"),
        ({"scale": 9}, InvalidArgument, "scale 9"),
        ({"layout": "ful"}, UnknownName, "'full'"),
        ({"panels": "game"}, InvalidArgument, r"such as \['game'\]"),
        ({"heats": ("kl", "kl")}, InvalidArgument, "each name once"),
        ({"limits": {"kl": 0.0}}, InvalidArgument, "limit 0.0 of kl"),
    ],
)
def test_impossible_ways_to_draw_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        Draw(**options)


def test_a_chosen_limit_is_the_colour_bar_s(recording: Recording, tmp_path: Path) -> None:
    maps = samples.maps(range(4))
    scale = fixed_scales(maps, {"kl": 0.125})["kl"]
    assert scale.ticks()[-1] == (1.0, 0.125)
    assert scale.heat(np.array([0.125 / 4]))[0] == 0.5  # kl is drawn as its square root
    paths = [
        still(recording, maps, tmp_path / f"{limit}.png", step=2, draw=Draw(scale=1, limits=given))
        for limit, given in ((0, {}), (9, {"kl": 9.0}))
    ]
    first, second = (np.asarray(Image.open(path)) for path in paths)
    assert (first != second).any()


def test_a_figure_of_a_video_says_which_step(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"--step N"):
        render(recording, None, tmp_path / "x.pdf")


def test_maps_of_something_else_are_refused(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="another recording"):
        render(recording, samples.maps([39, 40]), tmp_path / "x.mp4")
    other = GridSpec(rows=(0.0, 5.0), columns=(0.0, 5.0), observation=(80, 80))
    with pytest.raises(ShapeError, match=r"\(80, 80\)"):
        render(recording, samples.maps([3], grid=other), tmp_path / "x.mp4")


@pytest.mark.parametrize(
    ("recorded", "digest", "explained", "fits"),
    [
        ("own", "own", 0, True),
        ("own", "f" * 64, None, False),
        ("own", "", None, True),
        ("own", "", 5, False),
        ("f" * 64, "own", 0, True),
        ("f" * 64, "", None, False),
        ("", "", None, True),
    ],
)
def test_maps_are_drawn_over_the_episode_they_were_made_from_alone(
    recording: Recording,
    tmp_path: Path,
    recorded: str,
    digest: str,
    explained: int | None,
    fits: bool,
) -> None:
    found = samples.maps([1, 2, 3], explained=explained)
    digest = recording.episodes[0].digest if digest == "own" else digest
    header = dataclasses.replace(
        found.header,
        recording=recording.header.identity if recorded == "own" else recorded,
        recording_digests={"0": digest},
    )
    found = dataclasses.replace(found, header=header)
    if fits:
        assert render(recording, found, tmp_path / "x.png").is_file()
        return
    with pytest.raises(InvalidArgument, match="another recording"):
        render(recording, found, tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_forced(recording: Recording, tmp_path: Path) -> None:
    for name in ("x.mp4", "x.png"):
        path = tmp_path / name
        path.write_bytes(b"precious")
        with pytest.raises(AlreadyExists):
            render(recording, None, path, steps=[0])
        assert path.read_bytes() == b"precious"
        render(recording, None, path, steps=[0], force=True, draw=SMALL)
        assert path.stat().st_size > 100


def test_progress_counts_pictures(recording: Recording, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    render(
        recording,
        None,
        tmp_path / "x.mp4",
        steps=slice(0, 4),
        draw=SMALL,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(("length", "columns", "rows"), [(40, 4, 3), (3, 3, 1)])
def test_a_contact_sheet_holds_twelve_steps_once_a_header_and_once_a_bar(
    recording: Recording, tmp_path: Path, length: int, columns: int, rows: int
) -> None:
    path = render(recording, samples.maps(range(length)), tmp_path / "x.png", draw=SMALL)
    with Image.open(path) as sheet:
        assert sheet.size == (
            32 + columns * (2 * 160 + 4 + 16) - 16,
            16 + 56 + rows * (210 + 20 + 16) + 44 + 16,
        )
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


def test_maps_of_the_whole_stack_do_not_go_with_a_map_a_plane(
    recording: Recording, tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument, match="--planes each"):
        render(recording, samples.maps(range(3)), tmp_path / "x.mp4", draw=Draw(layout="stack"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pool", ["rgb", "previous_decision"])
def test_pooled_agents_are_shown_what_they_see(tmp_path: Path, pool: str) -> None:
    recording = samples.record(tmp_path / "r", 6, pool=pool)
    seen = Film(recording, None).context(3).screen
    last, before = (samples.COLOURS[samples.screen(step)] for step in (3, 5))
    assert (last != before).any()
    np.testing.assert_array_equal(seen, np.maximum(last, before))


def test_a_white_ball_shows_in_the_hottest_heat(recording: Recording) -> None:
    film = Film(recording, samples.maps(range(40), strength=9.0))
    for theme in THEMES:
        context = Film(recording, samples.maps(range(40), strength=9.0), theme=theme).context(33)
        layer = context.scene.layers[0]
        hottest = np.ones(film.scene.screen_shape, np.float32)
        picture = heat_on_screen(context, layer, hottest).astype(int)
        top, left = samples.ball(33)
        ball, around = picture[top + 1, left], picture[top - 1, left]
        assert ball.min() > 170  # nearly as white as it is
        assert ball.sum() - around.sum() > 300  # and the outline apart from it


def test_a_hole_is_no_thing_and_a_thing_is_one() -> None:
    usual = np.zeros((20, 20, 3), np.uint8)
    usual[4:6] = (200, 80, 60)
    screen = usual.copy()
    screen[4:6, 3:8] = 0
    screen[15, 9] = 255
    assert np.argwhere(moving_pixels(screen, usual)).tolist() == [[15, 9]]
    assert not moving_pixels(255 - usual, usual).any()


def test_a_thing_moves_with_the_strokes_that_were_there_and_a_wall_does_not() -> None:
    usual = np.zeros((60, 60, 3), np.uint8)
    usual[50:] = 200  # a wall
    usual[5:10, 6] = 90  # a digit: one stroke
    screen = usual.copy()
    screen[5:10, 4:7] = 90  # another digit: a block with a hole, over the same stroke
    screen[6:9, 5] = 0
    screen[49, 30] = 200  # a thing of the wall's colour, on the wall
    moving = moving_things(screen, usual)
    digit = np.zeros((60, 60), bool)
    digit[5:10, 4:7], digit[6:9, 5] = True, False
    digit[49, 30] = True
    np.testing.assert_array_equal(moving, digit)
    assert moving_pixels(screen, usual).sum() == digit.sum() - 5


def test_q_values_share_one_axis_for_the_whole_video(tmp_path: Path) -> None:
    recording = samples.record(tmp_path / "q", 20, kind="q_values")
    film = Film(recording, samples.maps(range(20), targets=(samples.GAP,)))
    choices = film.scene.choices
    assert choices.kind == "q_value"
    assert choices.low < -1.9
    assert choices.high > 1.9
    assert [c.name for c in film.scene.curves] == ["max Q", "score", "max gap"]


def test_memory_does_not_grow_with_the_number_of_frames(
    recording: Recording, tmp_path: Path
) -> None:
    steps = [s % 40 for s in range(300)]
    film = Film(recording, samples.maps(range(40)), steps=steps)
    page = arrange(film.scene, Draw(layout="compact", scale=1))
    contexts = film.contexts()
    tracemalloc.start()
    for _ in range(60):
        page.draw(next(contexts))
    early = tracemalloc.get_traced_memory()[0]
    for context in contexts:
        page.draw(context)
    late = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert late - early < 3_000_000


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0, "0:00.0"), (9.94, "0:09.9"), (59.96, "1:00.0"), (119.96, "2:00.0"), (3600.0, "60:00.0")],
)
def test_the_clock_rounds_before_it_splits(seconds: float, shown: str) -> None:
    assert caption.clock(seconds) == shown


def test_panels_of_tables_are_refused_before_a_game_is_played() -> None:
    with pytest.raises(InvalidArgument, match="caption: a game that is yet to be played"):
        drawable(Perturbation(), Draw(panels=("game", "caption")))
    with pytest.raises(InvalidArgument, match=r"boxes: .*agentlens objects"):
        drawable(Perturbation(), Draw(panels=("boxes",)))
    method = Perturbation()
    assert drawable(method, Draw(panels=("boxes",), boxes=True)) is method
