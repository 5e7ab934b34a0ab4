"""Mean maps: the numbers, what is refused, and the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agentlens.cli import main
from agentlens.drawing.draw import Draw
from agentlens.drawing.mean_picture import mean_picture
from agentlens.drawing.means import BEFORE, mean_maps
from agentlens.drawing.moments import find_moments
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.spec import TargetInfo
from agentlens.store.recording import Recording
from tests import render_samples as samples

LOG_PROBABILITY = replace(samples.KL, name="log_probability", of_action=True)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return samples.record(tmp_path_factory.mktemp("recording") / "r", 60)


def test_the_mean_by_action_is_that_of_the_steps_at_which_it_was_taken(
    recording: Recording,
) -> None:
    maps = samples.maps(range(10, 50), targets=(samples.KL, samples.VALUE, samples.ENERGY))
    actions = np.asarray(recording.episodes[0].actions)
    means = mean_maps(recording, maps, "action")
    assert sum(len(mean.steps) for mean in means) == 40
    assert sum(mean.total for mean in means) == 60
    for mean in means:
        action = samples.MEANINGS.index(mean.name)
        np.testing.assert_array_equal(actions[mean.steps], action)
        rows = [step - 10 for step in range(10, 50) if actions[step] == action]
        np.testing.assert_allclose(mean.values, maps.values[rows, :2].mean(axis=0), atol=1e-7)
        assert [target.name for target in mean.targets] == ["kl", "value"]


def test_the_mean_of_an_episode_counts_maps_and_steps(recording: Recording) -> None:
    maps = samples.maps(range(12))
    (mean,) = mean_maps(recording, maps, "episode", steps=slice(4, 20))
    assert (mean.name, len(mean.steps), mean.total) == ("episode 0", 8, 16)
    np.testing.assert_allclose(mean.values, maps.values[4:12].mean(axis=0), atol=1e-7)


def test_the_mean_by_moment_takes_the_steps_up_to_it(recording: Recording) -> None:
    means = mean_maps(recording, samples.maps(range(60)), "moment")
    rewards = next(mean for mean in means if mean.name.startswith("reward"))
    ends = [m.step for m in find_moments(recording.episodes[0], ["reward"], 100)]
    assert rewards.name == f"reward, {len(ends)} moments"
    expected = sorted({s for end in ends for s in range(max(0, end - BEFORE + 1), end + 1)})
    assert rewards.steps.tolist() == expected


@pytest.mark.parametrize("by", ["episode", "moment"])
def test_maps_that_explain_different_actions_are_not_averaged(
    recording: Recording, by: str
) -> None:
    maps = samples.maps(range(60), targets=(LOG_PROBABILITY,))
    with pytest.raises(InvalidArgument, match="mix unlike things"):
        mean_maps(recording, maps, by)  # type: ignore[arg-type]
    assert mean_maps(recording, maps, "action")
    one_action = samples.maps(range(60), targets=(LOG_PROBABILITY,), explained=2)
    assert mean_maps(recording, one_action, by)  # type: ignore[arg-type]


def test_words_and_places_that_do_not_exist_are_refused(recording: Recording) -> None:
    maps = samples.maps(range(8))
    with pytest.raises(UnknownName, match="action, episode, moment"):
        mean_maps(recording, maps, "game")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="episode 3"):
        mean_maps(recording, maps, "action", episode=3)
    with pytest.raises(UnknownName, match="target"):
        mean_maps(recording, maps, "action", targets=["klk"])
    with pytest.raises(InvalidArgument, match="explain more steps"):
        mean_maps(recording, maps, "action", steps=slice(20, 30))


@pytest.mark.parametrize("targets", [(samples.KL,), (samples.KL, samples.VALUE)])
def test_the_picture_has_a_row_a_target_and_a_column_a_group(
    recording: Recording, tmp_path: Path, targets: tuple[TargetInfo, ...]
) -> None:
    maps, sizes = samples.maps(range(60), targets=targets), {}
    for by in ("episode", "action"):
        path = mean_picture(recording, maps, tmp_path / f"{by}.png", by, draw=Draw(scale=1))  # type: ignore[arg-type]
        with Image.open(path) as picture:
            sizes[by] = picture.size
            assert np.asarray(picture).std() > 5
    groups = len(mean_maps(recording, maps, "action"))
    assert sizes["action"][0] == 16 + groups * (160 + 16)
    assert sizes["action"][1] == sizes["episode"][1]
    with pytest.raises(UnknownName, match="png"):
        mean_picture(recording, maps, tmp_path / "x.mp4", "action")


def test_the_command_says_what_is_missing(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", str(recording.folder), "--mean", "action"]) == 1
    assert "has no maps: agentlens explain" in capsys.readouterr().err
