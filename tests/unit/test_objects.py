"""Where objects are: boxes of RAM against pixels, game by game, and what stands behind them."""

from __future__ import annotations

import subprocess
import sys

import ale_py
import numpy as np
import pytest

from agentlens.envs.atari.cartridges import rom_path
from agentlens.envs.atari.objects import (
    OBJECTS,
    Boxes,
    Byte,
    FactFinder,
    GameObjects,
    ObjectFact,
    When,
    background_picture,
    boxes_of,
    check_boxes,
    colour_finder,
    facts_of,
    regions,
)
from agentlens.errors import InvalidArgument

FRAMES, SKIPPED, EVERY = 1200, 120, 3
SEED = 5
"""Not the one whose screens the facts were measured on."""


def played(game: str, every: int = EVERY) -> tuple[np.ndarray, np.ndarray]:
    """Screens and RAM of random play."""
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    ale = ale_py.ALEInterface()
    ale.setInt("random_seed", SEED)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(rom_path(game))
    ale.reset_game()
    rng, actions = np.random.default_rng(SEED), ale.getMinimalActionSet()
    screens, rams = [], []
    action, left = actions[0], 0
    for frame in range(FRAMES):
        if left == 0:
            action, left = actions[rng.integers(len(actions))], int(rng.integers(2, 14))
        left -= 1
        ale.act(action)
        if ale.game_over():
            ale.reset_game()
        if frame >= SKIPPED and frame % every == 0:
            screens.append(ale.getScreen())
            rams.append(ale.getRAM())
    return np.stack(screens), np.stack(rams)


def facts(name: str) -> GameObjects:
    found = facts_of(OBJECTS.load(name).game)
    assert found is not None
    return found


@pytest.mark.parametrize("name", OBJECTS.names())
def test_boxes_of_ram_agree_with_the_pixels_within_a_pixel(name: str) -> None:
    game = facts(name)
    screens, ram = played(game.game)
    finder = FactFinder(game)
    boxes = boxes_of(screens, ram, finder)
    checks = check_boxes(ram, boxes, finder)
    total = sum(check.count for check in checks)
    good = sum(check.share * check.count for check in checks)
    assert total > 100
    assert good / total >= 0.99, checks
    own = game.groups.index(game.own)
    drawn = np.stack(
        [boxes.drawn[:, i] for i, group in enumerate(boxes.groups) if group == game.groups[own]]
    ).any(0)
    assert drawn.mean() > 0.3, "what the agent moves is seen while it plays"
    assert not (boxes.drawn & ~boxes.present).any()


def test_the_direction_in_which_the_agent_moves_follows_from_the_facts() -> None:
    axes = {name: facts(name).axis for name in ("pong", "breakout", "freeway", "boxing")}
    assert axes == {
        "pong": "vertical",
        "breakout": "horizontal",
        "freeway": "vertical",
        "boxing": "",
    }


@pytest.mark.parametrize("name", OBJECTS.names())
def test_facts_name_their_sources_and_stay_on_the_screen(name: str) -> None:
    game = facts(name)
    assert game.sources
    assert name == game.game.replace("_", "-")
    for fact in game.objects:
        top, bottom, left, right = fact.area
        assert 0 <= top < bottom <= 210, fact.name
        assert 0 <= left < right <= 160, fact.name


def one_ball(**changes: object) -> ObjectFact:
    options: dict[str, object] = {
        "name": "ball",
        "x": Byte(address=3, offset=2),
        "y": Byte(address=4, scale=2),
        "width": 2,
        "height": 3,
        "colours": (9,),
        "reach": 2,
        "present": (When(address=4, least=1),),
    }
    return ObjectFact(**(options | changes))


def game_of(*objects: ObjectFact) -> GameObjects:
    return GameObjects(
        game="made up",
        objects=objects,
        own=objects[0].name,
        threats=(),
        backdrop=0,
        sources=("here",),
    )


def scene(ball: tuple[int, int] | None = (20, 30)) -> tuple[np.ndarray, np.ndarray]:
    screen, ram = np.zeros((210, 160), np.uint8), np.zeros(128, np.uint8)
    ram[3], ram[4] = 28, 10
    if ball is not None:
        screen[ball[0] : ball[0] + 3, ball[1] : ball[1] + 2] = 9
    return screen, ram


def boxed(screen: np.ndarray, ram: np.ndarray, *objects: ObjectFact) -> Boxes:
    return boxes_of(screen[None], ram[None], FactFinder(game_of(*objects)))


def test_a_box_follows_the_pixels_and_ram_says_where_nothing_is_drawn() -> None:
    screen, ram = scene()
    assert boxed(screen, ram, one_ball()).edges[0, 0].tolist() == [20, 23, 30, 32]
    moved, _ = scene((21, 31))
    assert boxed(moved, ram, one_ball()).edges[0, 0].tolist() == [21, 24, 31, 33]
    blinking, _ = scene(None)
    boxes = boxed(blinking, ram, one_ball())
    assert boxes.edges[0, 0].tolist() == [20, 23, 30, 32]
    assert boxes.present[0, 0]
    assert not boxes.drawn[0, 0]
    ram[4] = 0
    assert not boxed(blinking, ram, one_ball()).present[0, 0]


def test_a_pixel_that_two_could_claim_is_the_ones_whose_ram_box_holds_it() -> None:
    screen, ram = scene()
    screen[23:26, 30:32] = 9
    near = one_ball(name="near", y=23, present=())
    boxes = boxed(screen, ram, one_ball(), near)
    assert boxes.edges[0].tolist() == [[20, 23, 30, 32], [23, 26, 30, 32]]


@pytest.mark.parametrize("name", OBJECTS.names())
def test_what_moved_in_a_frame_is_found_in_the_screen_before_it(name: str) -> None:
    """Erasing edits the last two screens of a decision and has the RAM of the last alone."""
    game = facts(name)
    screens, ram = played(game.game, every=1)
    finder = FactFinder(game)
    missed = total = 0
    for step in range(1, len(screens), 7):
        own = finder.labels(screens[step - 1], ram[step - 1])
        later = finder.labels(screens[step - 1], ram[step])
        missed += np.count_nonzero((own > 0) & (later == 0))
        total += np.count_nonzero(own)
    assert missed <= 0.002 * total


def test_an_object_that_has_its_colours_alone_is_found_wherever_ram_has_it() -> None:
    screen, ram = scene((100, 90))
    assert not boxed(screen, ram, one_ball()).drawn[0, 0]
    assert boxed(screen, ram, one_ball(alone=True)).edges[0, 0].tolist() == [100, 103, 90, 92]


def test_a_wrong_box_is_counted_as_wrong() -> None:
    screen, ram = scene((22, 30))
    finder = FactFinder(game_of(one_ball()))
    boxes = boxes_of(screen[None], ram[None], finder)
    (check,) = check_boxes(ram[None], boxes, finder)
    assert (check.share, check.count) == (0.0, 1)


def test_the_background_is_what_is_seen_where_no_object_stands() -> None:
    screens = np.full((3, 2, 2), 5, np.uint8)
    screens[:2, 0, 0] = 9
    covered = screens == 9
    assert background_picture(screens)[0, 0] == 9
    assert background_picture(screens, covered)[0, 0] == 5
    covered[:, 1, 1] = True
    assert background_picture(screens, covered, backdrop=7)[1, 1] == 7
    assert background_picture(screens, covered)[1, 1] == 5


def test_games_without_facts_go_by_colour_and_connected_regions() -> None:
    screens = np.zeros((4, 20, 30), np.uint8)
    screens[:, 2:4, 3:6] = 1
    screens[:, 10:12, 3:6] = 1
    screens[:, 15, 15] = 2
    palette = np.zeros((256, 3), np.uint8)
    palette[1], palette[2] = (200, 40, 40), (70, 80, 210)
    finder = colour_finder(screens, np.zeros((20, 30), np.uint8), palette)
    assert finder.names == ("red", "blue")
    found = regions(screens[0], finder)
    assert sorted(region.box for region in found) == [(2, 4, 3, 6), (10, 12, 3, 6)]
    assert {region.pixels for region in found} == {6}


def test_facts_refuse_what_cannot_be() -> None:
    with pytest.raises(InvalidArgument, match="address 128"):
        Byte(address=128)
    with pytest.raises(InvalidArgument, match="one of them"):
        one_ball(colours=())
    with pytest.raises(InvalidArgument, match="different names"):
        game_of(one_ball(), one_ball())
    with pytest.raises(InvalidArgument, match="none of its groups"):
        GameObjects(
            game="x", objects=(one_ball(),), own="bat", threats=(), backdrop=0, sources=("x",)
        )


def test_facts_load_without_the_emulator_or_torch() -> None:
    code = (
        "import sys; from agentlens.envs.atari.objects import OBJECTS; "
        "[OBJECTS.load(n) for n in OBJECTS.names()]; "
        "assert not {'torch', 'gymnasium', 'ale_py'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
