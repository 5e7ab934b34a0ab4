"""Worlds whose cause is known: the world, the agent that reads it, and what methods make of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from agentlens.compute import Compute
from agentlens.envs.causes.kind import WORLDS
from agentlens.envs.causes.mosaic import MEANINGS, foreground
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.metrics._recorded import median_picture
from agentlens.metrics._states import States
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import verify
from agentlens.saliency.explain import explain
from agentlens.saliency.methods.memory import Memory
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.workflows.bench import BenchResult, Focus, _cover, bench_causes
from agentlens.workflows.bench_agents import mosaic_agent
from agentlens.workflows.bench_memory import LaterPolicy, cue_frames
from agentlens.workflows.intervene import intervene
from agentlens.workflows.intervene_options import Intervention, PlayOn

ONE = Compute(threads=1)
POLICIES = Path(__file__).resolve().parents[2] / "benchmarks" / "policies"


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_the_world_replays_and_its_agent_reads_it(world: str, tmp_path: Path) -> None:
    agent = mosaic_agent(world)
    recording = record(agent, output=tmp_path / "r", play=Play(episodes=2, max_steps=40))
    assert all(verdict.exact for verdict in verify(recording))
    delay = WORLDS[world].get("delay", 0)
    for episode in recording.episodes:
        right = episode.fingerprints[:, 1] == episode.actions
        assert right[delay:].mean() >= 0.95
        np.testing.assert_array_equal(episode.rewards, right.astype(np.float32))
        cells = episode.fingerprints[:, 0]
        assert len(np.unique(cells)) > 4 or "cheat" in WORLDS[world]
        assert cells.max() < WORLDS[world]["cells"] ** 2
    first, second = (episode.screens.indices[:3] for episode in recording.episodes)
    assert not np.array_equal(first, second)


def test_a_trained_policy_is_scored_in_its_own_world_and_the_default_finds_the_cause() -> None:
    """The frozen reference policies: they learned right actions, nobody told them where to look."""
    score = bench_causes(["perturbation"], agent=POLICIES / "mosaic25", states=25, compute=ONE)
    assert score.world == "Mosaic25-v0"
    assert score.scores[0].focus.accuracy >= 0.9
    assert score.scores[0].cell_accuracy >= 0.9
    assert score.scores[0].forgotten <= 0.2


def test_the_reference_policies_are_small_and_an_agent_of_another_world_is_refused() -> None:
    sizes = [path.stat().st_size for path in POLICIES.glob("*/policy.safetensors")]
    assert len(sizes) == 5
    assert sum(sizes) < 2_000_000
    with pytest.raises(UnknownName, match="Mosaic16-v0"):
        bench_causes(["perturbation"], agent="pong-ppo")


def test_glyphs_differ_from_the_ground_alike_and_in_their_halves() -> None:
    glyphs = [foreground(action) for action in range(len(MEANINGS))]
    assert all((np.abs(glyph) == 1).all() and glyph.sum() == 0 for glyph in glyphs)
    np.testing.assert_array_equal(glyphs[0], -glyphs[2])
    assert (glyphs[0] * glyphs[1]).sum() == 0


@pytest.fixture(scope="module")
def result() -> BenchResult:
    """Three methods on thirty states."""
    methods = (
        Perturbation(reference="median"),
        Occlusion(size=20, stride=20),
        "gradient",
        "random",
    )
    return bench_causes(methods, states=30, compute=ONE)


def test_methods_that_hide_the_cause_find_it_and_others_do_not(result: BenchResult) -> None:
    perturbation, occlusion, gradient, random = result.scores
    assert perturbation.cell_accuracy >= 0.9
    assert perturbation.area > 0.9
    assert occlusion.cell_accuracy >= 0.95
    assert gradient.cell_accuracy <= 0.2
    two_sigma = 2 * math.sqrt(result.chance * (1 - result.chance) / result.states)
    assert random.cell_accuracy <= result.chance + two_sigma


def test_the_strongest_tenth_of_a_map_that_is_the_cell_covers_it() -> None:
    inside = np.zeros((1, 80, 80), bool)
    inside[0, 20:40, :20] = True
    assert _cover(inside.astype(float), inside).tolist() == [1.0]
    half = np.where(np.arange(80)[:, None] < 30, inside, 0.0)
    elsewhere = np.where(np.arange(80)[:, None] >= 60, 0.5, 0.0)
    assert 0.5 <= float(_cover(half + elsewhere, inside)[0]) < 0.51


def test_a_policy_that_forgot_falls_to_chance(result: BenchResult) -> None:
    assert all(score.forgotten <= 0.2 for score in result.scores)


def test_counts_of_focus_and_decision_add_up(result: BenchResult) -> None:
    for score in result.scores:
        assert score.focus.states == result.states
        assert score.focus.accuracy >= 0.95
    focus = Focus.of(np.array([True, True, False, False]), np.array([True, False, True, False]))
    assert str(focus) == "1/1/1/1"
    assert focus.accuracy == 0.5


def test_the_cue_two_frames_back_is_found_in_its_plane() -> None:
    method = Perturbation(reference="median", stride=10)
    result = bench_causes([method], world="Mosaic16Delay2-v0", states=8, compute=ONE)
    assert result.scores[0].plane_accuracy == 1.0


def test_a_corner_that_gives_the_answer_away_is_found_and_not_the_glyph() -> None:
    methods = [Perturbation(), Occlusion(size=20, stride=20)]
    result = bench_causes(methods, world="Mosaic16Cheat-v0", states=12, compute=ONE)
    for score in result.scores:
        assert score.cell_accuracy >= 0.9
        assert score.forgotten <= 0.25
        assert score.focus.accuracy == 1.0
    assert result.scores[0].mass_share > 0.9


def test_a_cue_in_no_frame_is_found_by_memory_at_its_time(tmp_path: Path) -> None:
    agent = mosaic_agent("Mosaic16Memory-v0")
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=30))
    maps = explain(recording, Memory(last=3, reference="median"), output=tmp_path / "maps")
    values = np.asarray(maps.values)[5:, 0, :, 0, 0]
    moved = dict(zip(maps.planes, values.mean(0), strict=True))
    assert moved["memory"] > 0.5
    assert moved["input"] < 1e-3
    assert moved["last 2"] < 1e-3
    assert moved["last 3"] > 1.0


def test_a_cue_that_memory_carries_is_found_on_the_screen_that_showed_it() -> None:
    methods = [Perturbation(), Occlusion(size=20, stride=20), "random"]
    result = bench_causes(methods, world="Mosaic16Memory-v0", states=12, compute=ONE)
    assert result.later == 2
    perturbation, occlusion, random = result.scores
    for score in (perturbation, occlusion):
        assert score.cell_accuracy == 1.0
        assert score.focus.accuracy >= 0.9
        assert score.at_decision < 1e-6
        assert score.forgotten <= 0.25
    assert random.cell_accuracy <= 0.25
    assert random.at_decision == pytest.approx(1.0, abs=0.1)


def test_what_hiding_the_cue_does_to_a_later_decision_agrees_with_playing_on(
    tmp_path: Path,
) -> None:
    """By hand: two decisions on, hiding the cue's cell costs the choice, another's does not."""
    agent = mosaic_agent("Mosaic16Memory-v0")
    recording = record(agent, output=tmp_path / "r", play=Play(max_steps=12, n_envs=1))
    (episode,), decision, later = recording.episodes, 9, 2
    cell = int(episode.fingerprints[decision, 0])
    frames = cue_frames(episode, np.array([decision]), later)
    states = States(
        policy=LaterPolicy(agent.policy, later),
        frames=frames,
        median=median_picture(recording),
        explained=frames.actions.numpy(),
    )
    for place in (cell, (cell + 5) % 16):
        top, left = (20 * number for number in divmod(place, 4))
        mask = np.zeros((1, 80, 80), np.float32)
        mask[0, top : top + 20, left : left + 20] = 1.0
        effect = states.effect(states.erase(mask, np.zeros(1, int)), np.zeros(1, int))[0]
        region = f"{top}:{top + 20},{left}:{left + 20}"
        plan = Intervention(hide=(region,), random=False)
        span = PlayOn(start=decision - later, steps=later + 1, repeats=1)
        rows = intervene(recording, plan, span, compute=ONE).rows
        changes = [row.change for row in rows if row.change is not None]
        assert effect == pytest.approx(changes[-1].kl, abs=1e-3)
        assert effect > 0.3 if place == cell else effect < 0.01


def test_a_later_decision_needs_memory_and_a_step() -> None:
    with pytest.raises(InvalidArgument, match="memory"):
        LaterPolicy(mosaic_agent("Mosaic16-v0").policy, 2)
    with pytest.raises(InvalidArgument, match="0 steps later"):
        LaterPolicy(mosaic_agent("Mosaic16Memory-v0").policy, 0)


def test_more_states_than_an_episode_holds_come_of_several() -> None:
    result = bench_causes(["random"], world="Mosaic9-v0", states=250, compute=ONE)
    assert result.states == result.scores[0].focus.states == 250


@pytest.mark.parametrize("world", ["Mosaic9-v0", "Mosaic25-v0"])
def test_the_default_finds_the_cause_among_fewer_and_more_cells(world: str) -> None:
    result = bench_causes(["perturbation"], world=world, states=10, compute=ONE)
    assert result.scores[0].cell_accuracy >= 0.9
    assert result.scores[0].forgotten <= 0.2 + 1 / math.sqrt(WORLDS[world]["cells"] ** 2 * 10)


def test_worlds_that_there_are_not() -> None:
    with pytest.raises(UnknownName, match="Mosaic16-v0"):
        bench_causes(world="Mosaic16")
