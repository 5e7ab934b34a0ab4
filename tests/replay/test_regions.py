"""Named regions of games against the pixels of a game: objects lie where the file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentlens
from agentlens.envs.atari.objects import Boxes, boxes_of, objects_of
from agentlens.envs.atari.regions import named_places


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
