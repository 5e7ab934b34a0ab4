"""Incremental maps of real agents against the float64 reference engine."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from agentlens.errors import InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.policies.architectures import architecture
from agentlens.policies.base import Policy
from agentlens.policies.networks import build_policy
from agentlens.saliency import scores
from agentlens.saliency.engine import incremental, reference
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.masks import gaussian_masks, plane_selections
from agentlens.saliency.references import blur
from agentlens.spec import ActionSpec, ObservationSpec

TOLERANCE = 1e-5
"""Of a map's maximum, as the design says, beside the rounding of float32 outputs."""


def assert_exact(policy: Policy, observations: Tensor, states: Tensor | None, planes: str) -> None:
    """kl and value changes equal the float64 reference's up to the tolerance and float32 noise."""
    masks = torch.from_numpy(gaussian_masks(policy.observation_shape[1:], 5, 12).masks)
    _, selections = plane_selections(planes, policy.observation_shape[0])
    perturbation = MaskedPlanes(masks=masks, selections=selections)
    references = blur(observations, 3.0)
    engine = incremental.build(policy, perturbation, memory_bytes=1 << 28, threads=2)
    got = engine(observations, references, states)
    exact_policy = copy.deepcopy(policy).double()
    exact = reference.build(exact_policy, perturbation, memory_bytes=1 << 28, threads=1)(
        observations.double(), references.double(), None if states is None else states.double()
    )
    preferences = [
        (output.base.preferences[:, None, None], output.perturbed.preferences)
        for output in (got, exact)
    ]
    ours, wanted = (scores.kl(base, changed) for base, changed in preferences)
    rounding = torch.finfo(torch.float32).eps * preferences[1][0].abs().amax()
    noise = rounding * (preferences[1][1] - preferences[1][0]).abs().amax()
    assert (ours - wanted).abs().amax() <= TOLERANCE * wanted.amax() + 8 * noise
    change = got.perturbed.value - got.base.value[:, None, None]
    exact_change = exact.perturbed.value - exact.base.value[:, None, None]
    largest = exact_change.abs().amax()
    rounding = torch.finfo(torch.float32).eps * exact.base.value.abs().amax()
    assert (change - exact_change).abs().amax() <= TOLERANCE * largest + 8 * rounding


def test_shipped_pong_agent_on_every_plane() -> None:
    agents = Path(__file__).resolve().parents[2] / "agents"
    policy = load_agent(agents / "pong-ppo").policy
    generator = np.random.default_rng(3)
    planes = np.full((4, 84, 84), 0.35, np.float32)
    for plane in planes:
        y, x = generator.integers(16, 70, 2)
        plane[y : y + 2, x : x + 2] = 0.9
        plane[y : y + 8, 73:75] = 0.6
    assert_exact(policy, torch.from_numpy(planes)[None], None, "each")


def test_a_residual_network_with_pools() -> None:
    """IMPALA's network on frames of 44 x 37, mostly flat."""
    spec = ObservationSpec(
        pool="none", grayscale="cv2", resize=(44, 37), interpolation="cv2-area", stack=2
    )
    action = ActionSpec(meanings=("NOOP", "UP", "DOWN"), selection="sample")
    policy = build_policy(architecture("impala", 3), spec, action, seed=2)
    observations = torch.full((2, 2, 44, 37), 0.35)
    observations[:, :, 0:3] = 0.9
    observations[:, 1, 20:28, 30:32] = 0.7
    observations[1, 0, 12:14, 9:11] = 0.8
    build, name, _ = choose_engine("auto", policy)
    assert (build, name) == (incremental.build, "incremental")
    assert_exact(policy, observations, None, "each")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("pqn", "layer 1 of chain 'torso' is a layer_norm, through which a mask cannot be followed")],
)
def test_what_cannot_be_followed_is_evaluated_in_batches_and_says_why(
    name: str, reason: str
) -> None:
    spec = ObservationSpec(
        pool="none", grayscale="cv2", resize=(84, 84), interpolation="cv2-area", stack=4
    )
    action = ActionSpec(meanings=("NOOP", "UP", "DOWN"), selection="sample")
    policy = build_policy(architecture(name, 3), spec, action)
    assert choose_engine("auto", policy)[1:] == ("batched", reason)
    with pytest.raises(InvalidArgument, match=reason):
        choose_engine("incremental", policy)


@pytest.mark.policies
@pytest.mark.parametrize("game", ["Pong", "Breakout"])
def test_baby_a3c(policies_folder: Path, game: str) -> None:
    folder = policies_folder / "baby-a3c" / game.lower()
    policy = load_agent(folder / "model.80.tar", env=f"{game}-v4").policy
    with np.load(folder / "rollout.npz") as rollout:
        observations = torch.from_numpy(rollout["obs"][[60, 150]])
        states = torch.from_numpy(rollout["hidden"][[60, 150]])
    assert_exact(policy, observations, states, "all")
