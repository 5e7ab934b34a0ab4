"""Completeness, noise of each mask, policies that look at nothing, and numbers that are refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.policies.constant import ConstantPolicy
from agentlens.saliency.base import FrameBatch, RecordingFacts, SaliencyMethod
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.methods.integrated_gradients import IntegratedGradients
from agentlens.saliency.methods.lime import Lime
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.methods.random import Random
from agentlens.saliency.methods.rise import Rise
from agentlens.saliency.methods.smoothgrad import SmoothGrad
from agentlens.saliency.references import parse_reference
from tests.planted import SmallPolicy
from tests.tiny import LinearPolicy

ONE, FACTS = Compute(threads=1), RecordingFacts()


class Step(Policy):
    """A critic with a kink: V = |o[0, 0, 0] - 0.3| x 10; nothing else matters."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_shape, self.action_meanings = (1, 2, 2), ("NOOP", "FIRE")
        self.kind, self.has_value, self.state_size = "logits", True, 0
        self.register_buffer("still", torch.zeros(2))

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        value = 10 * (observation[:, 0, 0, 0] - 0.3).abs()
        return PolicyOutput(self.still.expand(len(observation), 2), "logits", value)


def frames_of(observations: Tensor, first: int = 0) -> FrameBatch:
    count = len(observations)
    return FrameBatch(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.int64),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(first, first + count),
    )


def test_the_gap_is_what_the_sum_misses() -> None:
    observation = torch.zeros(1, 1, 2, 2)
    observation[0, 0, 0, 0] = 1.0
    few = IntegratedGradients(targets=("value",), reference="constant:0", steps=1)
    maps = few.bind(Step(), ONE, FACTS)(frames_of(observation))
    # one point at a half, where the slope is 10: the sum is 10, the output went from 3 to 7
    assert float(maps.values.sum()) == pytest.approx(10)
    assert maps.gaps is not None
    assert maps.gaps.tolist() == [[pytest.approx(6)]]


def test_points_are_added_until_the_gap_is_small() -> None:
    observation = torch.zeros(1, 1, 2, 2)
    observation[0, 0, 0, 0] = 1.0
    frames = frames_of(observation)
    fixed = IntegratedGradients(targets=("value",), reference="constant:0", steps=50)
    free = IntegratedGradients(targets=("value",), reference="constant:0")
    gaps = [float(m.bind(Step(), ONE, FACTS)(frames).gaps[0, 0]) for m in (fixed, free)]
    assert gaps[0] > 0.01 * 4 >= gaps[1]


def test_every_mask_has_noise_of_its_own_whatever_the_engine() -> None:
    torch.manual_seed(1)
    policy = SmallPolicy([torch.nn.Conv2d(2, 4, 4, 2)], torch.nn.ReLU(), (2, 20, 20))
    frames = frames_of(torch.rand(2, 2, 20, 20))
    method = Perturbation(reference="noise:3", stride=6, radius=2.0, targets=("value", "energy"))
    explainer = method.bind(policy, ONE, FACTS)
    assert explainer.engine == "batched: every mask is filled with something of its own"
    maps = explainer(frames).values
    oracle = method.bind(policy, Compute(threads=1, engine="reference"), FACTS)(frames).values
    torch.testing.assert_close(maps, oracle, rtol=0, atol=1e-5 * float(oracle.abs().max()))
    again = method.bind(policy, ONE, FACTS)(frames_of(frames.observations[1:], 1)).values
    assert torch.equal(again[0], maps[1])
    fills = parse_reference("noise:3").fill_masks(frames, 3)
    assert not torch.equal(fills[:, 0], fills[:, 1])
    assert not torch.equal(fills[0], fills[1])
    with pytest.raises(InvalidArgument, match="filled with something of its own"):
        method.bind(policy, Compute(threads=1, engine="incremental"), FACTS)


def test_energy_of_noise_by_hand() -> None:
    policy = LinearPolicy(torch.zeros(2, 1, 4, 4))
    frames = frames_of(torch.rand(1, 1, 4, 4))
    method = Perturbation(reference="noise", stride=4, radius=1.0, targets=("energy",))
    explainer = method.bind(policy, ONE, FACTS)
    mask = torch.from_numpy(method.discs(policy).masks)[0]
    fill = parse_reference("noise").fill_masks(frames, 1)[0, 0, 0]
    expected = ((mask * (fill - frames.observations[0, 0])) ** 2).sum()
    assert float(explainer(frames).values) == pytest.approx(float(expected), rel=1e-6)


def test_a_policy_that_looks_at_nothing_is_asked_once_a_frame() -> None:
    policy = load_agent("random", env="ALE/Pong-v5").policy
    assert isinstance(policy, ConstantPolicy)
    _, name, reason = choose_engine("auto", policy)
    assert (name, reason) == ("constant", "the policy looks at nothing")
    frames = frames_of(torch.rand(2, *policy.observation_shape))
    method = Perturbation(stride=20, reference="blur")
    maps = method.bind(policy, ONE, FACTS)(frames)
    same = method.bind(policy, Compute(threads=1, engine="batched"), FACTS)(frames)
    assert torch.equal(maps.values, same.values)
    assert (maps.values[:, 0] == 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rise(seed=-1),
        lambda: Lime(seed=-1),
        lambda: SmoothGrad(seed=-1),
        lambda: Random(seed=-1),
        lambda: Rise(seed=2**60),
        lambda: SmoothGrad(noise=1e39),
        lambda: Perturbation(reference="constant:1e39"),
        lambda: Perturbation(reference="constant:-1e39"),
        lambda: Perturbation(reference="noise:-1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(make: Callable[[], SaliencyMethod]) -> None:
    with pytest.raises(InvalidArgument):
        make()
