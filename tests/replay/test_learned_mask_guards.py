"""What learned masks are known to get wrong: each way is shown, so that it stays known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import agentlens
from agentlens.compute import Compute
from agentlens.saliency.frames import read_frames, recording_facts
from agentlens.saliency.methods.extremal import Extremal
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.optimise.explainer import LearnedMaskExplainer
from agentlens.saliency.optimise.solver import Solution, solve
from tests.mosaic import Mosaic, mosaic_states

STEPS = np.arange(66, 130, 4)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Mosaic:
    return mosaic_states(tmp_path_factory.mktemp("mosaic") / "recording")


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> agentlens.Recording:
    folder = tmp_path_factory.mktemp("pong") / "recording"
    play = agentlens.Play(episodes=1, seed=5, max_steps=130)
    return agentlens.record(agentlens.load_agent("pong-ppo"), output=folder, play=play)


def solved(recording: agentlens.Recording, method: Lan) -> Solution:
    policy = agentlens.load_agent(recording.folder / "agent").policy
    explainer = method.bind(policy, Compute(threads=1), recording_facts(recording, method))
    assert isinstance(explainer, LearnedMaskExplainer)
    frames = read_frames(recording.episodes[0], STEPS, policy, method)
    return solve(explainer.tasks[0], frames)


def concentration(masks: torch.Tensor) -> float:
    """The share of a map's mass in its strongest tenth, mean over frames: .1 if it is flat."""
    kept = (1 - masks).flatten(1)
    strongest = kept.topk(kept.shape[1] // 10, dim=1).values
    return float((strongest.sum(1) / kept.sum(1)).mean())


def test_too_large_a_beta_loses_the_output(mosaic: Mosaic) -> None:
    kept, hidden = zip(
        *(
            (float(found.kept.mean()), float(found.masks.mean()))
            for found in (mosaic.solution(Lan(beta=beta, fill="frames")) for beta in (0.3, 30.0))
        ),
        strict=True,
    )
    assert kept[0] > 0.95 > 0.85 > kept[1]
    assert hidden[0] < 0.75 < 0.9 < hidden[1]


def test_frames_of_the_recording_carry_the_cause_themselves(mosaic: Mosaic) -> None:
    background, frames = (mosaic.maps(Lan(fill=fill)) for fill in ("median", "frames"))
    assert mosaic.shares(frames).mean() < 0.6 * mosaic.shares(background).mean()
    assert mosaic.hits(frames).mean() < mosaic.hits(background).mean()


def test_a_mask_of_single_pixels_is_adversarial(mosaic: Mosaic) -> None:
    """Scattered pixels destroy as well; a coarse grid, or a smooth mask, finds the cause."""
    sharp, coarse, smooth = (
        mosaic.maps(Extremal(goal="destroy", targets=("kl",), cell_px=px, smoothness=weight))
        for px, weight in ((1, 0.0), (4, 0.0), (1, 15.0))
    )
    assert mosaic.hits(sharp).mean() < 0.6
    assert mosaic.shares(sharp).mean() < 0.5 * mosaic.shares(coarse).mean()
    assert mosaic.hits(coarse).mean() >= 0.75
    assert mosaic.hits(smooth).mean() >= 0.75


def test_uniform_noise_stalls_and_shows_no_place(pong: agentlens.Recording) -> None:
    background, noise = (solved(pong, Lan(fill=fill)) for fill in ("median", "uniform"))
    assert float(background.masks.mean()) > 0.9
    assert concentration(background.masks) > 0.8
    assert 0.3 < float(noise.masks.mean()) < 0.75
    assert concentration(noise.masks) < 0.35
    assert float(noise.kept.mean()) < float(background.kept.mean()) - 0.1
