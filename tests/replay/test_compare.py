"""The whole comparison on real games: a policy against itself, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from agentlens.cli import main
from agentlens.comparison.comparison import Comparison
from agentlens.comparison.statistics import Interval
from agentlens.comparison.words import standing_notes
from agentlens.drawing.video import count_frames
from agentlens.errors import AlreadyExists, CheckpointError, InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.importing import import_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.store.tables import read_table
from agentlens.workflows.compare import compare
from agentlens.workflows.compare_checks import check_objects
from agentlens.workflows.compare_plan import ComparisonPlan
from tests.rollout_agents import tiny_agent

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
QUICK = ComparisonPlan(map_states=6, moments=1, video_steps=5, states=0, badge_states=3)


def short(tmp_path: Path, name: str, agent: Agent, episodes: int = 3, seed: int = 0) -> Path:
    """A recording of episodes cut after 40 decisions."""
    record(agent, output=tmp_path / name, play=Play(episodes=episodes, seed=seed, max_steps=40))
    return tmp_path / name


def estimate(figure: Interval | None) -> float:
    assert figure is not None
    return figure.estimate


@pytest.fixture(scope="module")
def shipped() -> Agent:
    return load_agent("pong-ppo")


@pytest.fixture(scope="module")
def itself(tmp_path_factory: pytest.TempPathFactory, shipped: Agent) -> tuple[Comparison, Path]:
    folder = tmp_path_factory.mktemp("itself")
    own = short(folder, "own", shipped)
    return compare([own, own], output=folder / "report", plan=QUICK), folder


def test_a_policy_is_like_itself(itself: tuple[Comparison, Path]) -> None:
    found, _ = itself
    assert found.labels == ("pong-ppo", "pong-ppo #2")
    (difference,) = found.differences
    assert difference.verdict == "equal"
    assert difference.difference.estimate == 0.0
    assert difference.improvement.estimate == 0.5
    assert {b.states_of for b in found.behaviours} == set(found.labels)
    for b in found.behaviours:
        assert b.states == 120
        assert b.greedy_agreement.estimate == 1.0
        for name in ("kl_first_second", "kl_second_first", "total_variation", "value_difference"):
            figure = b.figures[name]
            assert figure is not None
            assert (figure.estimate, figure.low, figure.high) == (0.0, 0.0, 0.0)
        assert estimate(b.figures["value_correlation"]) == pytest.approx(1.0)
        assert b.figures["sampled_agreement"] == b.figures["first_self"] == b.figures["second_self"]
    assert {s.role for s in found.similarities} == {"actor", "critic"}
    for s in found.similarities:
        assert s.states == 6
        assert estimate(s.figures["spearman"]) == pytest.approx(1.0)
        assert estimate(s.figures["spearman_partial"]) == pytest.approx(1.0)
        assert estimate(s.figures["top_overlap"]) == 1.0
        assert estimate(s.figures["elsewhere"]) < 0.99
    assert all(abs(s.gain) < 1e-12 for s in found.shifts)
    assert [row.layer for row in found.layers[:4]] == ["torso.1", "torso.3", "torso.5", "torso.8"]
    for row in found.layers:
        assert row.cka == pytest.approx(1.0)
        assert row.untrained is not None
        assert row.untrained < 0.9999  # two networks that never learned are not the same


def test_the_report_is_whole(itself: tuple[Comparison, Path]) -> None:
    found, folder = itself
    report = folder / "report"
    assert found.folder == report
    data = json.loads((report / "report.json").read_text())
    assert "return the same" in data["summary"]
    assert "maps" in data["made"]
    for video in ("side_by_side.mp4", "same_states.mp4", "difference.mp4"):
        assert count_frames(report / video)[0] == 5
    assert read_table(report / "tables" / "behaviour")[0]["greedy_agreement"].tolist() == [1.0, 1.0]
    text = (report / "report.html").read_text()
    assert str(folder) not in text
    assert [t.agent for t in found.trust] == list(found.labels)
    assert found.trust[0].states == 3
    assert found.trust[0].badges.invariance.verdict == "pass"
    assert "invariance: pass" in text
    columns = read_table(report / "tables" / "badges")[0]
    assert columns["badge"].tolist() == ["sanity", "energy", "invariance", "causal"] * 2
    assert data["trust"][0]["input-invariance"]["estimate"] > 0.99
    assert text.count("<img") == len(found.moments) > 0
    assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == []


def test_an_earlier_report_is_replaced_only_by_force_and_nothing_else_ever(
    itself: tuple[Comparison, Path],
) -> None:
    _, folder = itself
    own = folder / "own"
    quick = dataclasses.replace(QUICK, map_states=0, video_steps=0, moments=0)
    with pytest.raises(AlreadyExists, match="--force replaces it"):
        compare([own, own], output=folder / "report", plan=quick)
    with pytest.raises(AlreadyExists, match="is no report"):
        compare([own, own], output=own, force=True, plan=quick)
    again = compare([own, own], output=folder / "report", force=True, plan=quick)
    assert again.similarities == ()
    assert not (folder / "report" / "side_by_side.mp4").exists()


def test_agents_with_other_eyes_memory_and_actions_meet(tmp_path: Path) -> None:
    """A recurrent agent on cropped 80 x 80 frames against a stack of four 84 x 84 ones.

    The seed twin is the first agent itself, so its similarity must be 1.
    """
    rules: dict[str, Any] = {"frame_skip": (4, 4), "repeat_action_probability": 0.0}
    flat = tiny_agent(tmp_path / "flat", "ALE/Breakout-v5", preset="sb3-atari", **rules)
    deep = tiny_agent(
        tmp_path / "deep", "ALE/Breakout-v5", preset="baby-a3c", state_size=5, **rules
    )
    spec = dataclasses.replace(deep.spec, name="deep", format="tests.rollout_agents:TinyPolicy")
    found = compare(
        [flat, dataclasses.replace(deep, spec=spec)],
        output=tmp_path / "report",
        plan=dataclasses.replace(
            QUICK, episodes=1, seed_twin=flat, own_scales=True, map_states=3, video_steps=2
        ),
    )
    assert any("off-policy" in note for note in found.notes)
    assert any("what happens after a lost life differs" in note for note in found.notes)
    assert {b.steps for b in found.burn_ins} == {1, 4, 16, 64}
    assert all(b.agent == "deep" for b in found.burn_ins)
    actor = [s for s in found.similarities if s.role == "actor"]
    assert len(actor) == 2
    assert all(s.figures["spearman"] is not None for s in actor)
    twins = {s.states_of: s.seed_twin for s in actor}
    assert twins["tiny"] is not None
    assert twins["tiny"].estimate == pytest.approx(1.0)
    assert twins["deep"] is None
    assert found.labels == ("tiny", "deep")
    assert "mask radius on the screen" in found.made["maps"]
    videos = {p.name for p in (tmp_path / "report").glob("*.mp4")}
    assert videos == {"side_by_side.mp4", "same_states.mp4", "difference.mp4"}


def test_what_cannot_be_compared_is_one_clear_error_and_leaves_nothing(
    tmp_path: Path, shipped: Agent
) -> None:
    out = tmp_path / "report"
    breakout = tiny_agent(tmp_path / "b", "ALE/Breakout-v5")
    sticky = tiny_agent(tmp_path / "s", "ALE/Pong-v5", repeat_action_probability=0.25)
    (tmp_path / "empty").mkdir()
    one, other = (
        short(tmp_path, "one", shipped, 1, seed=0),
        short(tmp_path, "two", shipped, 1, seed=9),
    )
    for agents, kind, message in (
        ([shipped], InvalidArgument, "1 agent to compare: expected two or more"),
        ("pong-ppo", InvalidArgument, "1 agent to compare"),
        ([shipped, breakout], InvalidArgument, "plays pong and tiny plays breakout"),
        ([shipped, sticky], InvalidArgument, r"sticky actions 0 and 0\.25.*--force"),
        ([shipped, tmp_path / "empty"], InvalidArgument, "neither a recording.*nor an agent"),
        ([shipped, tmp_path / "missing"], CheckpointError, "no such file, folder or agent"),
        ([one, other], InvalidArgument, "share no seed: record both with the same --seed"),
    ):
        with pytest.raises(kind, match=message):
            compare(agents, output=out, plan=QUICK)
    with pytest.raises(InvalidArgument, match="episodes 0: expected a whole number from 1"):
        ComparisonPlan(episodes=0)
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"b", "s", "empty", "one", "two"}


def test_six_agents_meet_their_neighbours_and_the_command_says_what_was_found(
    tmp_path: Path, shipped: Agent, capsys: pytest.CaptureFixture[str]
) -> None:
    own = str(short(tmp_path, "own", shipped, 2))
    flags = ["--map-states", "0", "--moments", "1", "--video-steps", "2", "--states", "1"]
    code = main(["compare", *[own] * 6, *flags, "--output", str(tmp_path / "report")])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "In the order given, mean returns are pong-ppo" in printed.out
    assert "note: Only 2 distinct pairs" in printed.out
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    met = {(d["first"], d["second"]) for d in data["differences"]}
    names = ["pong-ppo", *(f"pong-ppo #{i}" for i in range(2, 7))]
    assert met == {*itertools.pairwise(names), (names[0], names[5])}
    assert {(b["first"], b["second"]) for b in data["behaviours"]} == met
    assert all(b["states"] == 40 for b in data["behaviours"])  # one whole episode each
    assert main(["compare", own, "--output", str(tmp_path / "x")]) == 1
    assert "1 agent to compare: expected two or more" in capsys.readouterr().err


def test_agents_are_told_apart_by_the_objects_that_they_act_for(
    tmp_path: Path, shipped: Agent
) -> None:
    own, early = (
        short(tmp_path, name, agent, 1)
        for name, agent in (("own", shipped), ("early", load_agent("pong-ppo-early")))
    )
    plan = dataclasses.replace(QUICK, map_states=0, moments=0, video_steps=0, word_steps=4)
    comparison = compare([own, early], output=tmp_path / "report", plan=plan)
    assert {o.agent for o in comparison.objects} == {"pong-ppo", "pong-ppo-early"}
    for agent in comparison.labels:
        effects = [o for o in comparison.objects if o.agent == agent]
        assert {o.steps for o in effects} == {4}
        assert sum(o.effect for o in effects) == pytest.approx(1.0, abs=1e-6)
    assert "What they act for" in (tmp_path / "report" / "report.html").read_text()
    assert "effect" in read_table(tmp_path / "report" / "tables" / "objects")[0]
    rules = dataclasses.replace(shipped.spec.environment, game="breakout2")
    unknown = dataclasses.replace(shipped.spec, environment=rules)
    with pytest.raises(InvalidArgument, match="nothing is known of the objects of breakout2"):
        check_objects(unknown)


def test_another_frame_skip_by_force_compares_returns_alone(tmp_path: Path, shipped: Agent) -> None:
    environment = dataclasses.replace(shipped.spec.environment, frame_skip=(3, 3))
    spec = dataclasses.replace(shipped.spec, name="fast", environment=environment)
    fast = dataclasses.replace(shipped, spec=spec, folder=None)
    ones = [short(tmp_path, f"r{i}", a, 2) for i, a in enumerate((shipped, fast))]
    with pytest.raises(InvalidArgument, match="frame skip 4 and 3"):
        compare(ones, output=tmp_path / "report", plan=QUICK)
    found = compare(ones, output=tmp_path / "report", force=True, plan=QUICK)
    assert found.behaviours == found.similarities == found.moments == ()
    assert any("frame skip 4 and 3" in note for note in found.notes)
    assert any("no figures on shared states" in note for note in found.notes)
    assert (tmp_path / "report" / "side_by_side.mp4").exists()
    assert not (tmp_path / "report" / "same_states.mp4").exists()


@pytest.mark.policies
def test_public_breakout_stages_meet_on_each_others_states(
    policies_folder: Path, tmp_path: Path
) -> None:
    """Newest-first stacks, forced FIRE after lost lives, three of four actions."""
    recordings = []
    for stage in (1, 5):
        folder = import_agent(
            policies_folder / "rlcode-breakout-a3c" / f"stage{stage}.pt",
            tmp_path / "agents" / f"stage{stage}",
            manifest=RECIPES / "rlcode-breakout.toml",
        )
        agent = load_agent(folder)
        out = tmp_path / f"r{stage}"
        recordings.append(record(agent, output=out, play=Play(episodes=2, seed=1, max_steps=150)))
    found = compare(recordings, output=tmp_path / "report", plan=QUICK)
    assert found.labels == ("stage1", "stage5")
    for b in found.behaviours:
        assert 0.2 < b.greedy_agreement.estimate < 1.0
        assert estimate(b.figures["kl_first_second"]) > 0.0
    assert any("cut before the game's end" in note for note in standing_notes(found))
    assert all(abs(s.shift.sum()) < 1e-9 for s in found.shifts)
