"""Which decisions lose a point or a life, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from agentlens.words.losses import losing_decisions


@pytest.mark.parametrize(
    ("lives", "ends", "expected"),
    [
        ([3, 3, 2, 1, 1], True, [1, 2, 4]),  # with the last life
        ([3, 3, 2, 1, 1], False, [1, 2]),  # cut before it
        ([3, 3, 2, 2, 2], True, [1]),  # the game ends otherwise
        ([0, 0, 0, 0, 0], True, []),  # no lives at all
        ([1], True, [0]),
    ],
)
def test_lives_are_lost_to_the_last(lives: list[int], ends: bool, expected: list[int]) -> None:
    terminated = np.zeros(len(lives), np.bool_)
    terminated[-1] = ends
    episode = SimpleNamespace(
        lives=np.array(lives, np.int16), rewards=np.zeros(len(lives)), terminated=terminated
    )
    assert np.flatnonzero(losing_decisions(episode)).tolist() == expected


def test_points_are_lost_where_rewards_are_negative() -> None:
    episode = SimpleNamespace(
        lives=np.zeros(3, int), rewards=np.array([1.0, -1.0, 0.0]), terminated=np.zeros(3, bool)
    )
    assert losing_decisions(episode).tolist() == [False, True, False]
