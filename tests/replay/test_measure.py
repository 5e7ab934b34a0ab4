"""Measuring a recording: rows, controls, units of the intervals, badges kept beside the maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.cli import main
from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.measures import badges_of, read_measures
from agentlens.store.recording import Recording
from agentlens.store.tables import read_table
from agentlens.workflows.measure import measure, measure_badges
from agentlens.workflows.measure_plan import MeasurePlan
from agentlens.workflows.measure_result import MeasureResult

CHEAP = ("causal-rank", "energy-correlation", "sparseness", "top-region")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A few steps of a shipped agent."""
    folder = tmp_path_factory.mktemp("measured") / "rec"
    return record("pong-ppo", play=Play(episodes=2, max_steps=40, n_envs=1), output=folder)


def test_methods_and_controls_are_measured_on_the_same_states(
    recording: Recording, tmp_path: Path
) -> None:
    plan = MeasurePlan(states=4, metrics=CHEAP)
    method = Perturbation(stride=20)
    result = measure(
        recording,
        [method],
        plan,
        compute=Compute(threads=1),
        output=tmp_path / "table",
        maps=tmp_path,
    )
    assert result.methods == ("perturbation",)
    assert result.rows == (
        "perturbation",
        "random",
        "energy",
        "edges",
        "perturbation, re-initialised",
    )
    assert len(result.steps) == 4
    assert "stretches of 2 episodes" in result.units
    columns, _ = read_table(tmp_path / "table")
    assert len(columns["value"]) == 5 * 4 * 4
    assert result.badges("perturbation").sanity.verdict == "not measured"
    kept = read_measures(tmp_path)
    assert kept is not None
    assert kept.figures["sparseness"].estimate == pytest.approx(
        np.mean(result.values["perturbation"]["sparseness"])
    )


def test_badges_alone_are_measured_and_stored_where_a_header_reads_them(
    recording: Recording, tmp_path: Path
) -> None:
    badges = measure_badges(
        recording, tmp_path, Perturbation(stride=20), states=3, compute=Compute(threads=1)
    )
    assert all(badge.verdict != "not measured" for badge in badges.all)
    assert badges_of(tmp_path) == badges
    measures = read_measures(tmp_path)
    assert measures is not None
    assert measures.states == 3


def test_a_policy_without_weights_and_a_method_of_screens_are_refused(
    recording: Recording, tmp_path: Path
) -> None:
    agent = load_agent("random", env="ALE/Pong-v5")
    nobody = record(agent, play=Play(episodes=1, max_steps=5), output=tmp_path / "nobody")
    with pytest.raises(InvalidArgument, match="without weights looks at nothing"):
        measure(nobody)
    with pytest.raises(InvalidArgument, match="need the steps or the screens"):
        measure(recording, ["objects"])
    with pytest.raises(InvalidArgument, match="temporal gives numbers without places"):
        measure(recording, ["temporal"])


def test_scores_that_ask_about_no_action_have_no_separability(recording: Recording) -> None:
    plan = MeasurePlan(states=2, metrics=("separability",), controls=False)

    def measured(*targets: str) -> np.ndarray:
        method = Perturbation(stride=20, targets=targets)
        result = measure(recording, [method], plan, compute=Compute(threads=1))
        return result.values["perturbation"]["separability"]

    assert np.isnan(measured("kl")).all()
    assert np.isnan(measured("kl", "contrast")).all()  # the first is measured
    assert (measured("contrast", "kl") < 1).all()


def test_a_video_with_badges_refuses_such_a_method_before_a_game_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["video", "pong-ppo", "--badges", "--method", "objects"]) == 1
    assert "Leave --badges out" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_refused_before_anything_is_measured(recording: Recording) -> None:
    with pytest.raises(UnknownName, match="causal-rank"):
        measure(recording, plan=MeasurePlan(metrics=("causal-ranks",)))
    with pytest.raises(UnknownName, match="perturbation"):
        measure(recording, ["perturbations"])
    with pytest.raises(InvalidArgument, match="no method"):
        measure(recording, [])
    with pytest.raises(InvalidArgument, match="no step"):
        measure(recording, plan=MeasurePlan(episodes=(7,)))


def test_figures_pair_by_state_and_leave_out_what_has_no_number() -> None:
    places = np.arange(4)
    result = MeasureResult(
        values={
            "a": {"m": np.array([1.0, 2, 3, np.nan])},
            "b": {"m": np.array([0.0, 1, 2, 9])},
        },
        places={"a": {"m": places}, "b": {"m": places}},
        episodes=np.zeros(4, np.int64),
        steps=places,
        methods=("a",),
        better={"m": "higher"},
    )
    assert result.figure("a", "m").estimate == 2.0
    gap = result.figure("a", "m", "b")
    assert (gap.estimate, gap.low, gap.high) == (1.0, 1.0, 1.0)
    assert np.isnan(result.figure("a", "other").estimate)
