"""What excites a unit of a recurrent agent, made on a GPU from a state that a file holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agentlens.network.excitation import Target, excite, field_of
from agentlens.network.excite_plan import ExcitePlan
from agentlens.network.places import list_places
from agentlens.network.taps import tap
from agentlens.policies.agent import load_agent

pytestmark = pytest.mark.gpu


def test_a_state_on_the_cpu_is_moved_to_the_policy() -> None:
    policy = load_agent("pong-recurrent", device="cuda").policy
    place = next(place for place in list_places(policy) if place.kind == "spatial")
    start = np.full(tuple(policy.observation_shape), 0.1, np.float32)
    palette, state = np.float32([0.0, 0.1, 0.9]), torch.zeros(1, policy.state_size)
    unit = Target(place=place, unit=0, at=(2, 2))
    excited = excite(policy, unit, start, palette, ExcitePlan(updates=2), state)
    assert excited.observation.shape == start.shape
    assert field_of(place, (2, 2), policy) is not None
    assert tap(policy, [place], start[None], state.numpy())[place.name].shape[0] == 1
