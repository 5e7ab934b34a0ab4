"""What is known of real agents' units: a trained layer shows the ball more than one that never
learned does, and the masks of other steps show nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentlens.network.dissect import mask_iou
from agentlens.network.places import find_place
from agentlens.network.taps import tap
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.workflows.dissect import sample_steps
from agentlens.workflows.untrained import TWIN_SEED, untrained_twin

pytestmark = pytest.mark.policies
LAYER = "torso.5"
"""What follows the third convolution."""


def test_the_third_convolution_of_a_pong_agent_shows_the_ball(
    policies_folder: Path, tmp_path: Path
) -> None:
    agent = load_agent(
        policies_folder / "baby-a3c/pong/model.80.tar", format="baby-a3c", env="Pong-v4"
    )
    recording = record(agent, output=tmp_path / "pong", play=Play(seed=0, max_steps=600))
    steps = sample_steps(recording, 100)
    names = list(steps.masks)
    masks = np.stack([steps.masks[name] for name in names], 1)
    shuffled = masks[np.random.default_rng(4).permutation(len(masks))]

    place = find_place(agent.policy, LAYER)

    def iou(policy: Policy, of: np.ndarray) -> np.ndarray:
        layer = tap(policy, [place], steps.observations, steps.states)[LAYER]
        return mask_iou(layer, of, centres=place.centres)

    twins = [iou(untrained_twin(agent, TWIN_SEED + n), masks) for n in range(3)]
    scores, ball = iou(agent.policy, masks), names.index("ball")
    assert scores[:, ball].max() > 2 * max(twin[:, ball].max() for twin in twins)
    assert (scores[:, ball] > 0.04).sum() > 2 * max((t[:, ball] > 0.04).sum() for t in twins)
    untrained = np.quantile(np.concatenate(twins), 0.99, axis=0)
    assert (iou(agent.policy, shuffled) <= np.maximum(untrained, 1e-9)).all()
