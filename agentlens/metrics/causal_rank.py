"""Causal rank agreement: does the map order regions as erasing them does?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from agentlens.metrics._base import Direction, Metric, Sample
from agentlens.metrics._ranks import partial, spearman
from agentlens.saliency.base import FrameBatch


@dataclass(frozen=True, kw_only=True)
class CausalRank(Metric):
    """Spearman correlation, over a grid of regions, of a map's mass and what erasing does.

    Each region is erased from every plane (median of the recording); its effect is the KL
    divergence of the policy's choice, for Q-values the change of the advantages.

    Notes:
        49 forward passes a state, shared by all methods that are measured together.

    References:
        Our own; in the spirit of Bach et al. 2015 (region perturbation) and Ancona et al. 2018.
    """

    summary: ClassVar[str] = "agreement of the map with what erasing regions does (Spearman)"
    better: ClassVar[Direction] = "higher"
    unit: ClassVar[str] = "correlation"
    paper: ClassVar[str] = "after Bach et al. 2015"
    weakness: ClassVar[str] = "one region at a time: what two regions say together is not seen"

    given_energy: bool = False
    """Take off what the agent-free energy of the same regions explains (partial correlation)."""

    def __call__(self, sample: Sample) -> np.ndarray:
        """The agreement in each state; see ``Metric``."""
        states = sample.states
        mass = _mass(sample.pixels, states.blocks)
        if not self.given_energy:
            return spearman(mass, states.block_effects)
        return partial(mass, states.block_effects, _energy(states.frames, sample))


def _mass(pixels: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The mean of maps [F, H, W] within each region: float64 [F, R]."""
    flat = blocks.reshape(len(blocks), -1).astype(np.float64)
    means: np.ndarray = pixels.reshape(len(pixels), -1) @ (flat / flat.sum(1, keepdims=True)).T
    return means


def _energy(frames: FrameBatch, sample: Sample) -> np.ndarray:
    change = (sample.states.fill("median") - frames.observations).square().sum(1)
    return _mass(change.double().cpu().numpy(), sample.states.blocks)


METRIC = CausalRank
