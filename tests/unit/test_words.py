"""Attributes, the causal check, and sentences that say no more than it confirmed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from agentlens.envs.atari.objects import Boxes, objects_of
from agentlens.errors import InvalidArgument, OutputMismatch
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.constant import ConstantPolicy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.objects import ObjectEraser
from agentlens.store.recording import Recording
from agentlens.store.tables import read_table
from agentlens.words.attributes import attributes_of
from agentlens.words.description import DescribeOptions, Describer
from agentlens.words.sentences import Choice, ObjectClause, motion, sentence
from agentlens.workflows.describe import describe

QUICK = DescribeOptions(patches=20)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    folder = tmp_path_factory.mktemp("words") / "pong"
    return record("pong-ppo", output=folder, play=Play(max_steps=64, n_envs=1))


def boxes(*edges: list[tuple[int, int, int, int] | None]) -> Boxes:
    """Ball, then bat, each a list of boxes."""
    steps = len(edges[0])
    values = np.zeros((steps, len(edges), 4), np.int16)
    present = np.zeros((steps, len(edges)), np.bool_)
    for place, column in enumerate(edges):
        for step, box in enumerate(column):
            if box is not None:
                values[step, place], present[step, place] = box, True
    return Boxes(
        names=("ball", "bat"),
        groups=("ball", "bat"),
        edges=values,
        present=present,
        drawn=present,
        pixels=present.astype(np.int32),
    )


def test_attributes_are_those_worked_out_by_hand() -> None:
    found = attributes_of(
        boxes([(10, 14, 20, 22), (12, 16, 26, 28), None], [(30, 46, 140, 144)] * 3), "bat"
    )
    assert found.groups == ("ball", "bat")
    assert (found.y[0, 0], found.x[0, 0]) == (12, 21)
    assert (found.dy[1, 0], found.dx[1, 0]) == (2, 6)
    assert (found.gap_y[0, 0], found.gap_x[0, 0]) == (-16, -118)
    assert found.approaching[1, 0] == 1
    assert math.isnan(found.dy[0, 0])
    assert math.isnan(found.y[2, 0])
    assert not found.present[2, 0]
    assert math.isnan(found.gap_y[0, 1])
    assert found.dy[1, 1] == 0


def test_an_object_that_comes_into_being_elsewhere_has_no_velocity() -> None:
    found = attributes_of(boxes([(10, 14, 20, 22), (100, 104, 90, 92)], [None, None]), "bat")
    assert math.isnan(found.dy[1, 0])


BALL = ObjectClause(
    name="ball",
    is_own=False,
    effect=0.42,
    cited=True,
    present=True,
    gap_y=14,
    gap_x=-60,
    dy=2,
    dx=3,
    approaching=1,
)
CHOICE = Choice(action="LEFT", probability=0.61, own="own paddle")


def test_a_sentence_cites_what_is_confirmed_and_says_what_is_not() -> None:
    rest = dataclasses.replace(BALL, name="opponent", effect=0.01, cited=False)
    assert sentence(CHOICE, [rest, BALL]) == (
        "LEFT (0.61): the ball is 14 px below its own paddle and coming; without it the policy "
        "changes by 0.42 nats; the opponent does not matter (0.01)."
    )
    assert sentence(CHOICE, [rest]) == "LEFT (0.61): no object in sight is shown to matter."
    bricks = dataclasses.replace(BALL, name="bricks")
    assert "the bricks are 14 px below" in sentence(CHOICE, [bricks])
    assert "without them the policy changes" in sentence(CHOICE, [bricks])
    still = dataclasses.replace(rest, name="bricks")
    assert "the bricks do not matter (0.01)" in sentence(CHOICE, [still, BALL])
    gone = dataclasses.replace(BALL, present=False)
    assert "was there a moment ago" in sentence(CHOICE, [gone])
    level = dataclasses.replace(BALL, gap_y=0, approaching=0)
    assert "the ball is level with its own paddle and not coming" in sentence(CHOICE, [level])
    sideways = dataclasses.replace(CHOICE, axis="horizontal")
    assert "the ball is 60 px left of its own paddle" in sentence(sideways, [BALL])
    q_values = Choice(action="LEFT", probability=None, own="own paddle")
    assert "its lead changes by 0.42 Q" in sentence(q_values, [BALL])
    assert motion(0.0, float("nan")) == ""


def test_descriptions_of_the_shipped_agent(recording: Recording, tmp_path: Path) -> None:
    seen: list[int] = []
    result = describe(
        recording,
        steps=slice(20, 60),
        options=QUICK,
        output=tmp_path / "words",
        progress=lambda done, total: seen.append(done),
    )
    assert seen[-1] == 40
    columns, about = read_table(tmp_path / "words" / "attributes")
    assert about["found_by"] == "facts"
    assert len(columns["step"]) == 40 * 4
    cited = columns["cited"]
    assert cited.any()
    assert (columns["effect"][cited] > columns["patches"][cited]).all()
    assert (columns["effect"][cited] >= QUICK.floor).all()
    ball = columns["object"] == "ball"
    assert columns["effect"][ball].sum() > columns["effect"][columns["object"] == "score"].sum()
    assert sum(group.effect for group in result.groups) == pytest.approx(1)
    lines, _ = read_table(tmp_path / "words" / "sentences")
    assert all("(" in line for line in lines["sentence"])
    total = sum(columns["share_kl"][i::4] for i in range(4))
    assert (total >= -1e-9).all(), "shares of the divergence sum to the whole divergence"


def test_shares_where_the_agent_is_decided(recording: Recording, tmp_path: Path) -> None:
    always = dataclasses.replace(QUICK, shares=False, decided=0.3)
    result = describe(recording, steps=slice(0, 40), options=always, output=tmp_path / "always")
    assert result.decided_steps == 40, "one of three merged actions has a third at least"
    assert all(group.decided == group.effect for group in result.groups)

    some = dataclasses.replace(always, decided=0.6)
    result = describe(recording, steps=slice(0, 64), options=some, output=tmp_path / "some")
    logits = recording.episodes[0].logits
    assert logits is not None
    chances = np.exp(logits.astype(np.float64))
    chances /= chances.sum(1, keepdims=True)
    pressed = np.stack([chances[:, [0, 1]], chances[:, [2, 4]], chances[:, [3, 5]]], 1).sum(-1)
    sentences, _ = read_table(tmp_path / "some" / "sentences")
    decided = pressed.max(1) >= 0.6
    assert np.array_equal(sentences["decided"], decided)
    assert result.decided_steps == decided.sum() >= 20
    columns, _ = read_table(tmp_path / "some" / "attributes")
    effect = columns["effect"].reshape(64, 4)[decided].sum(0)
    told = {group.name: group.decided for group in result.groups}
    assert list(told.values()) == sorted(told.values(), reverse=True)
    for name, share in zip(columns["object"][:4], effect / effect.sum(), strict=True):
        assert told[name] == pytest.approx(share)

    never = dataclasses.replace(always, decided=1.0)
    result = describe(recording, steps=slice(0, 40), options=never, output=tmp_path / "never")
    assert all(math.isnan(group.decided) for group in result.groups)
    assert "where it is decided" not in result.line


def constant_agent(recording: Recording) -> Agent:
    spec = recording.header.agent
    policy = ConstantPolicy(spec, tuple(float(a) for a in range(len(spec.action.meanings))))
    return Agent(spec=spec, policy=policy, folder=recording.agent_folder)


def test_a_constant_policy_is_given_no_reason(tmp_path: Path, recording: Recording) -> None:
    own = record(
        constant_agent(recording), output=tmp_path / "still", play=Play(max_steps=40, n_envs=1)
    )
    result = describe(own, options=QUICK, agent=constant_agent(recording))
    assert all(group.cited == 0 and group.mean_effect == 0 for group in result.groups)
    assert result.line == "no object changes the policy when erased"
    lines, _ = read_table(result.folder / "sentences")
    assert all("no object in sight is shown to matter" in line for line in lines["sentence"])


def test_another_agents_recording_is_refused(recording: Recording) -> None:
    describer = Describer(recording, constant_agent(recording), QUICK)
    with pytest.raises(OutputMismatch):
        next(describer.describe(recording.episodes[0], 0, 8))


def test_nothing_erased_is_the_recorded_observation_bit_for_bit(recording: Recording) -> None:
    episode = recording.episodes[0]
    eraser = ObjectEraser(recording, objects_of(recording))
    steps = np.array([0, 2, 40, 63])
    frames = eraser.frames(episode, steps)
    assert frames.names == ("own paddle", "opponent", "ball", "score")
    everything = (1 << len(frames.names)) - 1
    for row, step in enumerate(steps):
        same, without = frames.erased(row, [0, everything])
        assert np.array_equal(same, episode.observations[int(step)])
        assert not np.array_equal(same, without)
    court = frames.erased(2, [everything])[0][:, 20:70]
    assert len(np.unique(court)) == 1, "the court is empty without its objects"


def test_effects_do_not_depend_on_company(recording: Recording) -> None:
    agent = load_agent(recording.agent_folder)
    episode = recording.episodes[0]
    describer = Describer(recording, agent, QUICK)
    whole = next(describer.describe(episode, 30, 40))
    alone = next(Describer(recording, agent, QUICK).describe(episode, 35, 36))
    assert np.array_equal(whole.effect[5], alone.effect[0])
    assert whole.sentences[5] == alone.sentences[0]


def test_options_are_checked() -> None:
    for wrong in ({"patches": 0}, {"percentile": 101.0}, {"floor": -1.0}):
        with pytest.raises(InvalidArgument, match="expected 1 or more"):
            DescribeOptions(**wrong)
    with pytest.raises(InvalidArgument, match="expected a probability above 0"):
        DescribeOptions(decided=0.0)
