"""An agent asked about another's states: its own eyes, its own memory, the other's game."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agentlens.errors import AlreadyExists, InvalidArgument
from agentlens.rollout.burn_in import burn_in_distances
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.rollout.replay import verify
from agentlens.rollout.revisit import revisit
from agentlens.store.recording import Recording
from tests.rollout_agents import tiny_agent

STICKY: dict[str, Any] = {"repeat_action_probability": 0.25}


def played(tmp_path: Path, env_id: str = "ALE/Breakout-v5", **kwargs: Any) -> Recording:
    agent = tiny_agent(tmp_path / "player", env_id, **kwargs)
    return record(agent, output=tmp_path / "own", play=Play(episodes=2, seed=3, max_steps=120))


@pytest.mark.parametrize("state_size", [0, 6])
def test_an_agent_revisiting_itself_says_the_same_bits(tmp_path: Path, state_size: int) -> None:
    own = played(tmp_path, state_size=state_size, **STICKY)
    again = revisit(
        own,
        tiny_agent(tmp_path / "player", "ALE/Breakout-v5", state_size=state_size, **STICKY),
        output=tmp_path / "again",
    )
    assert again.header.player == "tiny"
    assert again.complete
    for one, two in zip(own.episodes, again.episodes, strict=True):
        for name in ("logits", "values", "actions", "rewards", "ram", "stack_resets"):
            assert np.array_equal(getattr(one, name), getattr(two, name)), name
        assert np.array_equal(one.planes[:], two.planes[:])
        if state_size:
            assert np.array_equal(one.states, two.states)
    assert all(v.exact for v in verify(again))


def test_a_guest_sees_through_its_own_preprocessing(tmp_path: Path) -> None:
    """The guest's planes equal those it records itself when it is made to play the same game."""
    own = played(tmp_path, preset="sb3-atari")
    guest = tiny_agent(
        tmp_path / "guest",
        "ALE/Breakout-v5",
        preset="baby-a3c",
        state_size=5,
        frame_skip=(4, 4),
        repeat_action_probability=0.25,
    )
    visit = revisit(own, guest, output=tmp_path / "visit", episodes=[0])
    assert visit.header.agent.observation == guest.spec.observation
    assert visit.header.agent.environment.start == own.header.agent.environment.start
    episode, home = visit.episodes[0], own.episodes[0]
    assert np.array_equal(episode.ram, home.ram)
    assert np.array_equal(episode.actions, home.actions)
    assert episode.planes[0].shape == (80, 80)
    assert np.array_equal(episode.screens.indices[:], home.screens.indices[:])
    observed = episode.observations[:]
    state = np.zeros((1, 5), np.float32)
    assert episode.states is not None
    assert episode.logits is not None
    for step in range(len(episode)):
        assert np.array_equal(episode.states[step], state[0])
        said = guest.policy(torch.from_numpy(observed[step : step + 1]), torch.from_numpy(state))
        assert said.state is not None
        assert np.allclose(said.preferences.numpy()[0], episode.logits[step], atol=1e-5)
        state = episode.states[step + 1 : step + 2] if step + 1 < len(episode) else state
        if step + 1 < len(episode):
            assert np.allclose(said.state.numpy(), state, atol=1e-6)
    assert all(v.exact for v in verify(visit))


def test_an_agent_with_fewer_actions_says_what_it_would_do_where_it_lacks_one(
    tmp_path: Path,
) -> None:
    own = played(tmp_path)
    guest = tiny_agent(tmp_path / "guest", "ALE/Breakout-v5")
    action = dataclasses.replace(guest.spec.action, meanings=("FIRE", "LEFT"))
    spec = dataclasses.replace(guest.spec, action=action)
    few = dataclasses.replace(guest, spec=spec, policy=type(guest.policy)(spec))  # type: ignore[call-arg]
    visit = revisit(own, few, output=tmp_path / "visit", episodes=[1])
    home, episode = (
        own.episodes[1],
        visit.episodes[0] if len(visit.episodes) == 1 else visit.episodes[1],
    )
    assert episode.logits is not None
    meanings = own.header.agent.action.meanings
    for theirs, ours, logits in zip(home.actions, episode.actions, episode.logits, strict=True):
        name = meanings[theirs]
        expected = ("FIRE", "LEFT").index(name) if name in ("FIRE", "LEFT") else logits.argmax()
        assert ours == expected
    assert visit.complete is False  # episode 0 was not asked for


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    own = played(tmp_path)
    pong = tiny_agent(tmp_path / "pong", "ALE/Pong-v5")
    with pytest.raises(InvalidArgument, match="plays pong and the recording is of breakout"):
        revisit(own, pong, output=tmp_path / "x")
    fast = tiny_agent(tmp_path / "fast", "ALE/Breakout-v5", frame_skip=(2, 2))
    with pytest.raises(InvalidArgument, match="decides every 2 frames and tiny every 4"):
        revisit(own, fast, output=tmp_path / "x")
    same = tiny_agent(tmp_path / "same", "ALE/Breakout-v5")
    with pytest.raises(InvalidArgument, match=r"episode 5: .* has finished episodes 0, 1"):
        revisit(own, same, output=tmp_path / "x", episodes=[0, 5])
    assert not (tmp_path / "x").exists()
    revisit(own, same, output=tmp_path / "x", episodes=[0])
    with pytest.raises(AlreadyExists):
        revisit(own, same, output=tmp_path / "x", episodes=[0])


def test_a_longer_burn_in_comes_closer_to_the_whole_memory(tmp_path: Path) -> None:
    agent = tiny_agent(tmp_path / "player", "ALE/Breakout-v5", state_size=6)
    own = record(agent, output=tmp_path / "own", play=Play(episodes=1, seed=3, max_steps=90))
    found = burn_in_distances(own, agent, steps=(0, 2, 80), samples=8)
    assert found[80][0] < 1e-3
    assert found[0][0] > found[80][0]
    assert all(count == 8 for _, count in found.values())
    assert burn_in_distances(own, agent, steps=(500,)) == {}
    with pytest.raises(InvalidArgument, match="needs an agent with memory"):
        burn_in_distances(own, tiny_agent(tmp_path / "flat", "ALE/Breakout-v5"), steps=(1,))
