"""States of the mosaic, whose causal cell is known, and what maps say of its cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentlens.compute import Compute
from agentlens.envs.causes.mosaic import CELL
from agentlens.metrics._pixels import to_pixels, top_pixels
from agentlens.metrics._recorded import frames_of
from agentlens.policies.base import Policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import FrameBatch
from agentlens.saliency.frames import recording_facts
from agentlens.saliency.optimise.explainer import LearnedMaskExplainer
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.saliency.optimise.solver import Solution, solve
from agentlens.store.recording import Recording
from agentlens.workflows.bench_agents import mosaic_agent

STATES, CELLS = 40, 4


@dataclass(frozen=True, eq=False)
class Mosaic:
    """States whose causal cell is known: ``cause``, int [F], row by row."""

    recording: Recording
    policy: Policy
    frames: FrameBatch
    cause: np.ndarray

    def bound(self, method: LearnedMaskOptions) -> LearnedMaskExplainer:
        """A learned method ready for the states."""
        facts = recording_facts(self.recording, method)
        explainer = method.bind(self.policy, Compute(threads=1), facts)
        assert isinstance(explainer, LearnedMaskExplainer)
        return explainer

    def solution(self, method: LearnedMaskOptions) -> Solution:
        """The masks themselves, with what they keep."""
        return solve(self.bound(method).tasks[0], self.frames)

    def maps(self, method: LearnedMaskOptions) -> np.ndarray:
        """Maps on pixels: float64 [F, H, W]."""
        explainer = self.bound(method)
        values = explainer(self.frames).values[:, 0].sum(1).double().numpy()
        return to_pixels(values, explainer.grid)

    def hits(self, maps: np.ndarray) -> np.ndarray:
        """Whether the cell with the most mass is the cause's: bool [F]."""
        masses = maps.reshape(len(maps), CELLS, CELL, CELLS, CELL).sum((2, 4))
        return np.asarray(masses.reshape(len(maps), -1).argmax(1) == self.cause)

    def shares(self, maps: np.ndarray) -> np.ndarray:
        """The share of each map's mass that lies in the cause's cell: float64 [F]."""
        return np.asarray((maps * self.inside).sum((1, 2)) / maps.sum((1, 2)))

    def covers(self, maps: np.ndarray, area: float = 0.1) -> np.ndarray:
        """The share of the cause's cell that the strongest ``area`` of each map takes up: [F]."""
        chosen = top_pixels(maps, area).astype(bool) & self.inside
        return np.asarray(chosen.sum((1, 2)) / self.inside.sum((1, 2)))

    @property
    def inside(self) -> np.ndarray:
        """The cause's cell: bool [F, H, W]."""
        side = np.arange(CELLS * CELL) // CELL
        row, column = np.divmod(self.cause, CELLS)
        down, across = side == row[:, None], side == column[:, None]
        return np.asarray(down[:, :, None] & across[:, None, :])


def mosaic_states(folder: Path) -> Mosaic:
    """Forty states of a recorded episode."""
    agent = mosaic_agent("Mosaic16-v0")
    recording = record(agent, output=folder, play=Play(n_envs=1))
    episode = recording.episodes[0]
    steps = np.unique(np.linspace(0, len(episode) - 1, STATES).round().astype(int))
    return Mosaic(
        recording=recording,
        policy=agent.policy,
        frames=frames_of(episode, steps),
        cause=episode.fingerprints[steps][:, 0].astype(int),
    )
