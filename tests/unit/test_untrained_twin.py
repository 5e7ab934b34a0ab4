"""The untrained twin of an agent with memory remembers what it saw itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.errors import InvalidArgument
from agentlens.network.places import find_place
from agentlens.network.taps import tap
from agentlens.policies.agent import recorded_agent
from agentlens.policies.base import Policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.store.recording import Episode, Recording
from agentlens.workflows.bench_agents import mosaic_agent
from agentlens.workflows.dissect import SampledSteps
from agentlens.workflows.edit_arms import EditPlan, _moves
from agentlens.workflows.excite_frames import read_curves
from agentlens.workflows.inside import Inside
from agentlens.workflows.untrained import own_states, untrained_twin

STEPS = np.array([0, 1, 5, 11])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A game of an agent whose GRU hands on what it saw for two decisions."""
    folder = tmp_path_factory.mktemp("twin") / "recording"
    return record(mosaic_agent("Mosaic16Memory-v0"), output=folder, play=Play(max_steps=12))


def _run_along(policy: Policy, episode: Episode) -> np.ndarray:
    """The memory before each of an episode's steps, float32 [T, S]."""
    state, states = policy.initial_state(1), []
    with torch.inference_mode():
        for step in range(len(episode)):
            assert state is not None
            states.append(state[0].numpy().copy())
            seen = torch.from_numpy(np.asarray(episode.observations[step : step + 1]))
            state = policy(seen, state).state
    return np.stack(states)


def _inside(recording: Recording) -> Inside:
    """The agent and its twin on all steps of the game."""
    agent, episode = recorded_agent(recording), recording.episodes[0]
    steps = SampledSteps(
        observations=np.asarray(episode.observations[:]),
        states=np.asarray(episode.states),
        masks={},
        attributes={},
        coordinates={},
        origins=np.stack([np.zeros(len(episode), int), np.arange(len(episode))], 1),
    )
    return Inside(
        recording=recording,
        agent=agent,
        twin=untrained_twin(agent),
        steps=steps,
        preferences=np.zeros((len(episode), 4), np.float32),
    )


def test_the_agents_own_memory_is_the_recorded_one(recording: Recording) -> None:
    agent, episode = recorded_agent(recording), recording.episodes[0]
    states = own_states(agent.policy, recording, np.stack([0 * STEPS, STEPS], 1))
    assert episode.states is not None
    np.testing.assert_allclose(states, episode.states[STEPS], atol=1e-6)


def test_a_twin_is_given_its_own_memory_by_all_that_look_inside(recording: Recording) -> None:
    agent, episode = recorded_agent(recording), recording.episodes[0]
    twin, place = untrained_twin(agent), find_place(agent.policy, "memory.hidden")
    seen, lent = np.asarray(episode.observations[:]), np.asarray(episode.states)
    own = tap(twin, [place], seen, _run_along(twin, episode))[place.name].astype(np.float32)
    wrong = tap(twin, [place], seen, lent)[place.name].astype(np.float32)
    assert np.abs(own - wrong).max() > 0.05
    inside = _inside(recording)
    np.testing.assert_allclose(inside.layer(place, untrained=True), own, atol=1e-3)
    curves, _ = read_curves(twin, place, [3], recording, twin=True)
    np.testing.assert_allclose(curves[0][0].values, own[:, 3], atol=1e-3)
    theirs, _ = read_curves(agent.policy, place, [3], recording)
    given = tap(agent.policy, [place], seen, lent)[place.name]
    np.testing.assert_allclose(theirs[0][0].values, given[:, 3].astype(np.float32), atol=1e-3)


def test_a_policy_without_memory_has_none(recording: Recording) -> None:
    twin = untrained_twin(mosaic_agent("Mosaic16-v0"))
    assert own_states(twin, recording, np.zeros((1, 2), np.int64)) is None


def test_units_of_an_untrained_network_are_not_put_into_an_agent_with_memory(
    recording: Recording,
) -> None:
    plan = EditPlan(operation="patch", donor="untrained")
    inside = _inside(recording)
    places = {"templates.1": find_place(inside.agent.policy, "templates.1")}
    with pytest.raises(InvalidArgument, match="with a memory cannot take or give"):
        _moves(inside, plan, places)
