"""Named regions of games against the pixels of a game: objects lie where the file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentlens
from agentlens.envs.atari.objects import Boxes, boxes_of, objects_of
from agentlens.envs.atari.regions import named_places
from agentlens.rollout.places import ram_edits
from agentlens.rollout.player import Player
from agentlens.rollout.seeds import episode_seed

OPPONENT = 56
"""Palette index of the opponent and of its score."""


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Boxes:
    """The objects of 300 steps of a game of the shipped agent."""
    folder: Path = tmp_path_factory.mktemp("regions") / "recording"
    play = agentlens.Play(episodes=1, seed=2, max_steps=300)
    recording = agentlens.record(agentlens.load_agent("pong-ppo"), output=folder, play=play)
    episode = recording.episodes[0]
    screens = np.stack([episode.screens.indices[step] for step in range(len(episode))])
    return boxes_of(screens, episode.ram[:], objects_of(recording).finder)


def rectangle(text: str) -> tuple[int, int, int, int]:
    rows, columns = text.split(",")
    top, bottom = map(int, rows.split(":"))
    left, right = map(int, columns.split(":"))
    return top, bottom, left, right


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("opponent", "opponent"),
        ("own paddle", "own-paddle"),
        ("own score", "score"),
        ("opponent's score", "score"),
    ],
)
def test_an_object_lies_inside_its_region(boxes: Boxes, name: str, region: str) -> None:
    index = boxes.names.index(name)
    edges = boxes.edges[boxes.drawn[:, index], index]
    assert len(edges) > 100
    top, bottom, left, right = rectangle(named_places("pong").regions[region])
    assert edges[:, 2].min() >= left
    assert edges[:, 3].max() <= right
    if region == "score":
        assert edges[:, 0].min() >= top
        assert edges[:, 1].max() <= bottom


def test_the_ball_is_nowhere_but_in_court_paddle_strips_and_beyond(boxes: Boxes) -> None:
    index = boxes.names.index("ball")
    edges = boxes.edges[boxes.drawn[:, index], index]
    top, bottom, left, right = rectangle(named_places("pong").regions["court"])
    assert edges[:, 0].min() >= top
    assert edges[:, 1].max() <= bottom
    middle = (edges[:, 2] >= left) & (edges[:, 3] <= right)
    assert middle.mean() > 0.7


@pytest.mark.parametrize("edit", ["opponent=freeze", "opponent=0", "score=freeze"])
def test_named_bytes_change_their_object_and_nothing_else(edit: str) -> None:
    """Twins with the same actions: a point is lost meanwhile, but the digits on show stand."""
    spec, screens, rewards = agentlens.load_agent("pong-ppo").spec, [], []
    for hold in (False, True):
        player = Player(spec, 0)
        player.begin(episode_seed(3, 0))
        for step in range(40):
            player.environment.step(2 + step // 8 % 2)
        before = player.environment.screen.copy()
        if hold:
            player.hold_ram(ram_edits([edit], "pong"))
        outcomes = [player.environment.step(2 + step // 8 % 2) for step in range(40, 60)]
        rewards.append([outcome.reward for outcome in outcomes])
        screens.append(player.environment.screen.copy())
    differs, (free, held) = screens[0] != screens[1], screens
    assert differs.any()
    assert rewards[0] == rewards[1]
    if edit == "score=freeze":
        assert not differs[24:].any()
        np.testing.assert_array_equal(held[:24], before[:24])
        assert -1.0 in rewards[0]
        return
    opponent = (free == OPPONENT) | (held == OPPONENT)
    assert not (differs & ~opponent).any()
    assert (held[34:194] == OPPONENT).any() == (edit == "opponent=freeze")


@pytest.mark.parametrize(
    ("agent", "game", "places"),
    [
        (
            "breakout-ppo",
            "breakout",
            {"paddle": "paddle", "bricks": "bricks", "score": "score"},
        ),
        (
            "spaceinvaders-ppo",
            "space_invaders",
            {
                "cannon": "cannon",
                "shield 1": "shields",
                "shield 3": "shields",
                "invaders row 1": "field",
            },
        ),
    ],
)
def test_objects_of_other_games_lie_inside_their_regions(
    tmp_path: Path, agent: str, game: str, places: dict[str, str]
) -> None:
    play = agentlens.Play(max_steps=120, seed=2)
    recording = agentlens.record(agent, output=tmp_path / "r", play=play)
    episode = recording.episodes[0]
    screens = np.stack([episode.screens.indices[step] for step in range(len(episode))])
    boxes = boxes_of(screens, episode.ram[:], objects_of(recording).finder)
    for name, region in places.items():
        index = boxes.names.index(name)
        edges = boxes.edges[boxes.drawn[:, index], index]
        assert len(edges) > 20
        top, bottom, left, right = rectangle(named_places(game).regions[region])
        assert edges[:, 0].min() >= top
        assert edges[:, 2].min() >= left
        assert edges[:, 1].max() <= bottom
        assert edges[:, 3].max() <= right
