"""Moments found in a made-up game whose events are known, and the steps around them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest

from agentlens.cli._options import Span, read_steps
from agentlens.drawing.moments import (
    APART,
    KINDS,
    describe_kind,
    episode_numbers,
    find_moments,
    span_around,
)
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.store.recording import Recording
from agentlens.store.tables import NUMBERS, write_table
from tests import render_samples as samples


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return samples.record(tmp_path_factory.mktemp("recording") / "r", 60)


def steps(recording: Recording, kind: str, most: int = 9) -> list[int]:
    return [h.step for h in find_moments(recording.episodes[0], [kind], most)]


def test_rewards_lost_lives_and_value_drops(recording: Recording) -> None:
    assert steps(recording, "reward") == [14, 29, 44, 59]  # one point each: the earlier first
    assert steps(recording, "lost-point") == [59]  # the game ends with three lives left
    values = np.sin(np.arange(60) / 7)
    drops = values[:-1] - values[1:]
    assert steps(recording, "value-drop", 1) == [int(drops.argmax())]


def test_policy_changes_and_importance(recording: Recording) -> None:
    logits = np.stack([samples.row(step).logits for step in range(60)]).astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    change = (shares[:-1] * np.log(shares[:-1] / shares[1:])).sum(axis=1)
    (first,) = find_moments(recording.episodes[0], ["policy-change"], 1)
    assert (first.step, first.amount) == (int(change.argmax()), pytest.approx(change.max()))
    ordered = np.sort(shares, axis=1)
    (first,) = find_moments(recording.episodes[0], ["important"], 1)
    assert first.amount == pytest.approx((ordered[:, -1] - ordered[:, -2]).max())
    assert first.seconds == first.step * 3 / 60


def test_moments_of_a_kind_are_apart_and_none_is_invented(recording: Recording) -> None:
    for kind in KINDS:
        places = sorted(steps(recording, kind))
        assert all(b - a >= APART for a, b in itertools.pairwise(places)), kind
    assert steps(recording, "stuck") == []  # every plane differs from the one before
    with pytest.raises(UnknownName, match="lost-point"):
        find_moments(recording.episodes[0], ["lost"])


def test_a_stretch_without_change_is_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = samples.row

    def frozen(step: int, kind: str = "logits") -> samples.StepRow:
        row = whole(step, kind)
        return dataclasses.replace(row, plane=whole(10).plane) if 10 <= step < 50 else row

    monkeypatch.setattr(samples, "row", frozen)
    episode = samples.record(tmp_path / "r", 60).episodes[0]
    (stuck,) = find_moments(episode, ["stuck"])
    assert (stuck.step, stuck.amount) == (11, 39.0)


def test_spans_around_a_step_are_in_game_time(recording: Recording) -> None:
    episode = recording.episodes[0]  # three emulator frames from step to step
    assert span_around(episode, 30, 1.0) == slice(20, 40)
    assert span_around(episode, 0, 1.0) == slice(0, 10)
    assert span_around(episode, 59, 0.01) == slice(59, 60)
    with pytest.raises(InvalidArgument, match="0 seconds"):
        span_around(episode, 30, 0.0)


def test_steps_are_written_as_in_python() -> None:
    assert read_steps("100:200") == slice(100, 200)
    assert read_steps(":200") == slice(0, 200)
    assert read_steps("100:") == slice(100, None)
    assert read_steps("7") == slice(7, 8)
    for text in ("", ":", "a:3", "1:2:3", "-3:4", "²"):
        with pytest.raises(InvalidArgument, match="FIRST:END"):
            read_steps(text)


def test_flags_choose_steps_one_way_or_the_other(recording: Recording) -> None:
    assert Span().chosen(recording) is None
    assert Span(steps="3:9").chosen(recording) == slice(3, 9)
    assert Span(around="lost-point", seconds=1.0).chosen(recording) == slice(49, 60)
    with pytest.raises(InvalidArgument, match="one of them"):
        Span(steps="3:9", around="reward").chosen(recording)
    with pytest.raises(InvalidArgument, match="no moment of the kind stuck"):
        Span(around="stuck").chosen(recording)


def test_a_number_stored_beside_the_recording_is_a_kind(recording: Recording) -> None:
    values = np.zeros(60)
    values[[7, 40]] = 2.0, 3.0
    columns = {"episode": np.zeros(60, np.int64), "step": np.arange(60), "torso.1.unit.3": values}
    about = {"recording": recording.header.identity}
    write_table(recording.folder / NUMBERS / "excite", columns, about)
    episode = recording.episodes[0]
    numbers = episode_numbers(recording, episode)
    moments = find_moments(episode, ["torso.1.unit.3"], 3, numbers)
    assert [(m.step, m.amount) for m in moments] == [(40, 3.0), (7, 2.0)]
    assert Span(around="torso.1.unit.3", seconds=1.0).chosen(recording) == slice(30, 50)
    assert "stored" in describe_kind("torso.1.unit.3")[0]
    with pytest.raises(UnknownName, match=r"torso\.1\.unit\.3"):
        find_moments(episode, ["torso.1.unit.4"], 3, numbers)
