"""The video of an intervention: both continuations in step, what is hidden outlined."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import numpy as np
import pytest

from agentlens.cli import main
from agentlens.compute import Compute
from agentlens.drawing.continuations import Continuation, ContinuationPage
from agentlens.drawing.theme import DARK
from agentlens.errors import AlreadyExists, InvalidArgument, OutputMismatch
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.spec import ObservationSpec
from agentlens.store.recording import Recording
from agentlens.workflows.intervene import intervene
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.intervene_result import InterventionResult
from agentlens.workflows.intervene_video import check_video, intervention_video, on_screen

COURT = Intervention(hide=("court",), random=True)
SIX = PlayOn(start=20, steps=6, repeats=2)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A few steps of a shipped agent."""
    folder = tmp_path_factory.mktemp("watched") / "rec"
    return record("pong-ppo", output=folder, play=Play(episodes=1, seed=3, max_steps=40))


@pytest.fixture(scope="module")
def result(recording: Recording) -> InterventionResult:
    return intervene(recording, COURT, SIX, compute=Compute(threads=1))


def test_every_decision_is_a_picture_and_the_hidden_region_is_outlined(
    recording: Recording, result: InterventionResult, tmp_path: Path
) -> None:
    path = intervention_video(recording, result, tmp_path / "court.mp4")
    with av.open(str(path)) as file:
        pictures = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(pictures) == 6
    middle = pictures[0][102 + 300]  # a row of the court, two columns of 320 pixels
    yellow = np.abs(middle.astype(int) - DARK.warning).max(1) < 60
    assert not yellow[16:336].any()
    assert yellow[352:672].sum() >= 4  # the left and the right edge of the court
    untouched, hidden = middle[100].astype(int), middle[336 + 100].astype(int)
    assert hidden.sum() < 0.6 * untouched.sum()  # darkened


def test_a_result_of_other_games_is_refused(
    recording: Recording, result: InterventionResult, tmp_path: Path
) -> None:
    rows = [dataclasses.replace(row, action=(row.action + 1) % 6) for row in result.rows]
    other = dataclasses.replace(result, rows=tuple(rows))
    with pytest.raises(OutputMismatch, match="another recording"):
        intervention_video(recording, other, tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_drawn_is_refused_before_a_game(tmp_path: Path) -> None:
    many = Intervention(hide=("court", "score", "opponent", "own-paddle"))
    with pytest.raises(InvalidArgument, match="a video holds 3"):
        check_video(many, tmp_path / "x.mp4")
    with pytest.raises(InvalidArgument, match="a png holds one step"):
        check_video(COURT, tmp_path / "x.png")
    (tmp_path / "x.mp4").touch()
    with pytest.raises(AlreadyExists):
        check_video(COURT, tmp_path / "x.mp4")


def test_the_command_draws_it(
    recording: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / "ram.mp4"
    words = ["--ram", "opponent=freeze", "--from", "20", "--for", "3", "--repeats", "1"]
    code = main(["intervene", str(recording.folder), *words, "--video", str(video)])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert f"video: {video}" in printed.out
    assert video.stat().st_size > 1000


def test_a_region_lies_on_the_screen_where_the_observation_sees_it() -> None:
    spec = ObservationSpec(
        pool="rgb", grayscale="cv2", resize=(2, 2), interpolation="cv2-area", stack=4
    )
    hidden = np.array([[0, 1], [0, 0]], np.float32)
    mask = on_screen(hidden, spec, (210, 160))
    assert mask is not None
    assert mask[:105, 80:].all()
    assert mask.sum() == 105 * 80
    assert on_screen(None, spec, (210, 160)) is None


def test_a_game_that_is_over_keeps_its_last_screen_darkened() -> None:
    columns = [
        Continuation(label=name, returns=np.arange(n, dtype=float), kl=np.full(n, np.nan))
        for name, n in (("untouched", 3), ("hidden", 1))
    ]
    page = ContinuationPage(
        columns=columns, title="a", facts="", first=0, screen_shape=(40, 200), scale=1
    )
    white = np.full((40, 200, 3), 240, np.uint8)
    early, late = (page.draw(at, [white, white], [None, None]) for at in (0, 2))
    assert early.shape == (page.size[1], page.size[0], 3)
    assert (early[110, 300] == 240).all()
    assert (late[110, 300] == 80).all()
    assert (late[110, 60] == 240).all()
