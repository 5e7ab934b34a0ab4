"""Learned masks where the cause is known: on the mosaic, filled with its background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from agentlens.compute import Compute
from agentlens.metrics._pixels import to_pixels
from agentlens.metrics._recorded import bind, frames_of, median_picture
from agentlens.policies.base import Policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.methods.extremal import Extremal
from agentlens.saliency.methods.fido import Fido
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.meaningful_perturbation import MeaningfulPerturbation
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.workflows.bench_agents import mosaic_agent

STATES, CELLS, SIDE = 40, 4, 20


@dataclass(frozen=True, eq=False)
class Mosaic:
    """States whose causal cell is known."""

    policy: Policy
    frames: FrameBatch
    median: np.ndarray
    cause: np.ndarray

    def cells(self, method: LearnedMaskOptions) -> np.ndarray:
        """The mean of the map over each cell: [F, 16]."""
        explainer = bind(method, self.policy, self.median, Compute(threads=1))
        values = explainer(self.frames).values[:, 0].sum(1).double().numpy()
        pixels = to_pixels(values, explainer.grid)
        means = pixels.reshape(len(pixels), CELLS, SIDE, CELLS, SIDE).mean((2, 4))
        return means.reshape(len(pixels), -1)


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Mosaic:
    agent = mosaic_agent("Mosaic16-v0")
    folder = tmp_path_factory.mktemp("mosaic") / "recording"
    recording = record(agent, output=folder, play=Play(n_envs=1))
    episode = recording.episodes[0]
    steps = np.unique(np.linspace(0, len(episode) - 1, STATES).round().astype(int))
    return Mosaic(
        policy=agent.policy,
        frames=frames_of(episode, steps),
        median=median_picture(recording),
        cause=episode.fingerprints[steps][:, 0].astype(int),
    )


@pytest.mark.parametrize(
    "method",
    [Lan(), MeaningfulPerturbation(), Fido()],
    ids=["lan", "meaningful-perturbation", "fido"],
)
def test_the_causal_cell_is_named(mosaic: Mosaic, method: LearnedMaskOptions) -> None:
    assert (mosaic.cells(method).argmax(1) == mosaic.cause).mean() >= 0.75


def test_what_suffices_and_what_destroys_is_the_same_cell(mosaic: Mosaic) -> None:
    keeps = mosaic.cells(Extremal()).argmax(1)
    destroys = mosaic.cells(Extremal(goal="destroy")).argmax(1)
    assert (keeps == mosaic.cause).mean() >= 0.75
    assert (destroys == mosaic.cause).mean() >= 0.75
    assert (keeps == destroys).mean() >= 0.65


def test_too_dear_an_area_leaves_the_cause_out(mosaic: Mosaic) -> None:
    dear, cheap = (
        (mosaic.cells(MeaningfulPerturbation(fill="blur", area=area)).argmax(1) == mosaic.cause)
        for area in (2.0, 0.5)
    )
    assert dear.mean() < 0.5 < cheap.mean()
