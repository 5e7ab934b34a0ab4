"""Playing on with something changed: the same chances, the planes at their own time, the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.policies.agent import Agent
from agentlens.rollout.hiding import HiddenStack, Sight, hide
from agentlens.rollout.intervene import Arm, Branch, PlayedStep, _replay_to, play_on
from agentlens.rollout.places import ram_edits, region_mask, rolled
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import NO_OUTPUTS
from agentlens.rollout.seeds import EpisodeSeed
from agentlens.spec import ObservationSpec
from agentlens.store.recording import Recording
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.intervene_result import InterventionResult
from tests.rollout_agents import tiny_agent

CPU = torch.device("cpu")


def _recorded(tmp_path: Path, state_size: int = 0) -> tuple[Agent, Recording]:
    agent = tiny_agent(tmp_path / "agent", state_size=state_size, repeat_action_probability=0.25)
    return agent, record(
        agent, output=tmp_path / "rec", play=Play(episodes=1, seed=3, max_steps=60)
    )


def _branch(recording: Recording, step: int, redraw: int = 0) -> Branch:
    episode = recording.episodes[0]
    words = episode.seed_words
    return Branch(
        number=0,
        seed=EpisodeSeed(words=(words[0], words[1], words[2], words[3])),
        episode=episode,
        step=step,
        redraw=redraw,
    )


@pytest.mark.parametrize("state_size", [0, 6])
def test_untouched_play_repeats_the_recorded_game(tmp_path: Path, state_size: int) -> None:
    agent, recording = _recorded(tmp_path, state_size)
    rows = list(play_on(agent, [_branch(recording, 25)], [Arm(name="u")], steps=30, device=CPU))
    assert [row.step for row in rows] == list(range(25, 55))
    assert [row.action for row in rows] == recording.episodes[0].actions[25:55].tolist()
    assert [row.reward for row in rows] == recording.episodes[0].rewards[25:55].tolist()
    assert all(row.change is None for row in rows)


@pytest.mark.parametrize("state_size", [0, 6])
def test_hiding_nothing_changes_nothing(tmp_path: Path, state_size: int) -> None:
    agent, recording = _recorded(tmp_path, state_size)
    nothing = np.zeros(agent.spec.observation.resize, np.float32)
    arm = Arm(name="h", hide={0: hide(lambda _: nothing, lambda _: nothing)})
    rows = list(play_on(agent, [_branch(recording, 25)], [Arm(name="u"), arm], steps=9, device=CPU))
    untouched = [row.action for row in rows if row.arm == "u"]
    hidden = [row for row in rows if row.arm == "h"]
    assert [row.action for row in hidden] == untouched
    assert all(row.change == (0.0, 0.0, False) for row in hidden)


def test_hiding_all_makes_the_policy_say_the_same_in_every_state(tmp_path: Path) -> None:
    agent, recording = _recorded(tmp_path)
    everything = np.ones(agent.spec.observation.resize, np.float32)
    arm = Arm(name="h", hide={0: hide(lambda _: everything, lambda _: 0 * everything)})
    rows = list(play_on(agent, [_branch(recording, 25)], [arm], steps=9, device=CPU))
    # The planes that were on the stack at the start are hidden as well: no transient.
    for row in rows:
        np.testing.assert_allclose(row.probabilities, 1 / 6, atol=1e-6)
        assert row.change is not None
        assert row.change.kl > 0


def test_what_stood_still_before_the_step_does_not_end_the_game(tmp_path: Path) -> None:
    agent = tiny_agent(
        tmp_path / "agent", "ALE/Breakout-v5", preset="ale-vector", selection="greedy"
    )
    agent.policy.load_state_dict({n: 0 * w for n, w in agent.policy.state_dict().items()})
    still = Play(max_steps=80, stuck_after=0)  # it never serves
    episode = record(agent, output=tmp_path / "rec", play=still).episodes[0]
    player = Player(agent.spec, 0, play=Play(stuck_after=10))
    _replay_to(player, episode, 70)
    ends = []
    for action in episode.actions[70:]:
        ends.append(player.end)
        player.play(int(action), NO_OUTPUTS)
    assert ends == [""] * 10
    player.play(0, NO_OUTPUTS)
    assert player.end == "stuck"


def test_redrawn_chances_differ_and_repeat(tmp_path: Path) -> None:
    agent, recording = _recorded(tmp_path)

    def actions(redraw: int) -> list[int]:
        branch = _branch(recording, 10, redraw)
        rows = play_on(agent, [branch], [Arm(name="u")], steps=40, device=CPU)
        return [row.action for row in rows]

    assert actions(1) == actions(1)
    assert actions(1) != actions(2)


def test_each_plane_is_hidden_at_its_own_time() -> None:
    spec = ObservationSpec(
        pool="none", grayscale="mean", resize=(1, 3), interpolation="cv2-area", stack=2
    )
    stack = HiddenStack(
        spec, hide(lambda sight: np.eye(3, dtype=np.float32)[[sight.step]], lambda _: -np.ones(1))
    )
    observation = np.array([[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]], np.float32)

    def sight(step: int, reset: bool) -> Sight:
        return Sight(observation=observation, state=None, episode=0, step=step, reset=reset)

    assert stack.push(sight(0, True)).tolist() == [[[0, 0, 0]], [[-1, 5, 6]]]
    assert stack.push(sight(2, False)).tolist() == [[[-1, 5, 6]], [[4, 5, -1]]]


def test_every_channel_of_a_colour_frame_is_hidden_and_the_older_frame_kept() -> None:
    spec = ObservationSpec(
        pool="none",
        grayscale="none",
        resize=(1, 2),
        interpolation="cv2-area",
        stack=2,
        channels=3,
    )
    stack = HiddenStack(
        spec, hide(lambda sight: np.float32([[sight.step, 0]]), lambda _: -np.ones(1))
    )
    observation = np.arange(12, dtype=np.float32).reshape(6, 1, 2)

    def sight(step: int, reset: bool) -> Sight:
        return Sight(
            observation=observation, state=None, episode=0, step=step, reset=reset, channels=3
        )

    assert stack.push(sight(0, True))[:, 0].tolist() == [[0, 0]] * 3 + [[6, 7], [8, 9], [10, 11]]
    hidden = stack.push(sight(1, False))[:, 0].tolist()
    assert hidden == [[6, 7], [8, 9], [10, 11], [-1, 7], [-1, 9], [-1, 11]]


def test_held_ram_stays_where_it_is_held(tmp_path: Path) -> None:
    agent, recording = _recorded(tmp_path)
    edits = ram_edits(["own-paddle=freeze", "50=80"], "pong")
    assert edits == {60: None, 50: 80}
    player = Player(agent.spec, 0)

    def tops(action: int, steps: int) -> set[int]:
        """The rows where the agent's paddle was seen to begin."""
        seen = set()
        for _ in range(steps):
            player.play(action, NO_OUTPUTS)
            seen.add(int((player.environment.screen[:, 140:144] == 200).any(1)[34:194].argmax()))
        return seen

    player.begin(_branch(recording, 0).seed)
    assert len(tops(2, 12)) >= 3
    player.hold_ram({60: edits[60]})
    assert len(tops(3, 20)) == 1
    player.begin(_branch(recording, 0).seed)
    tops(2, 12)
    assert len(tops(3, 20)) >= 3  # a new episode holds nothing


def test_region_covers_the_pixels_that_see_it(tmp_path: Path) -> None:
    spec = tiny_agent(tmp_path / "a").spec
    mask = region_mask("0:210,158:160", spec)
    assert mask.shape == (84, 84)
    assert mask[:, 82:].all()
    assert not mask[:, :82].any()
    both = region_mask("score + own-paddle", spec)
    assert both.sum() > region_mask("score", spec).sum()


def test_rolled_region_has_the_same_size() -> None:
    mask = np.zeros((8, 9), np.float32)
    mask[:3, :4] = 1
    moved = rolled(mask, np.random.default_rng(0))
    assert moved.sum() == mask.sum()
    assert not np.array_equal(moved, mask)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("courtt", "did you mean 'court'"),
        ("5:3,0:10", "not a span"),
        ("0:10,0:999", "not a span"),
    ],
)
def test_regions_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises((UnknownName, InvalidArgument), match=words):
        region_mask(text, tiny_agent(tmp_path / "a").spec)


@pytest.mark.parametrize("text", ["opponent", "opponent=300", "oponent=freeze", "score=3"])
def test_ram_edits_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgument):
        ram_edits([text], "pong")


def test_one_way_to_intervene_at_a_time() -> None:
    with pytest.raises(InvalidArgument, match="2 were given"):
        Intervention(hide=("court",), ram=("opponent=freeze",))
    with pytest.raises(InvalidArgument, match="0 were given"):
        Intervention()


def _result(agent: Agent, differences: list[float], actions: list[int]) -> InterventionResult:
    rows = []
    for branch, (difference, action) in enumerate(zip(differences, actions, strict=True)):
        for arm, reward in (("untouched", 1.0), ("court hidden", 1.0 + difference)):
            rows.append(
                PlayedStep(
                    branch=branch,
                    arm=arm,
                    step=0,
                    action=action,
                    reward=reward,
                    probabilities=np.ones(2) / 2,
                    change=None,
                )
            )
    plan = Intervention(hide=("court",), random=False)
    return InterventionResult.of(rows, agent.spec, plan, PlayOn(repeats=len(differences)))


def test_verdict_cannot_tell_where_the_interval_holds_0(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "a")
    change = "court hidden"
    clear = _result(agent, [-9.0, -10.0, -11.0, -10.0, -9.5, -10.5], [0, 1, 0, 1, 2, 1])
    assert clear.difference(change).estimate == pytest.approx(-10.0)
    assert "changes by -10.000 (" in clear.verdict(change)  # made of parts of a point
    whole = _result(agent, [-9.0, -10.0, -11.0, -10.0, -9.0, -11.0], [0, 1, 0, 1, 2, 1])
    assert "changes by -10.0 (" in whole.verdict(change)
    unclear = _result(agent, [-1.0, 1.0, -2.0, 2.0, 0.5, -0.5], [0, 1, 0, 1, 2, 1])
    assert "cannot tell" in unclear.verdict(change)
    assert "same game" in _result(agent, [-9.0, -9.0], [1, 1]).verdict(change)
    assert "more repeats" in _result(agent, [-9.0], [1]).verdict(change)
