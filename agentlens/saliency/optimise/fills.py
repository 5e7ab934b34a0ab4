"""Fills: what stands in the hidden part while a mask is learned, drawn anew in every step.

A fill is a reference (``references.parse_reference``: blur, constant, median, mean, previous,
noise) or one of three that are drawn:

- ``frames``: whole observations of the same recording ("bootstrap" in Grimm et al. 2017). They
  may hold the very thing that is hidden: another ball, another cue.
- ``cells``: every cell of the mask's grid from another observation of the recording.
- ``uniform``: uniform noise between the frame's extremes, far from anything the agent ever saw.

Shape letters: F frames, K planes, H W observation, N frames of the bank, gy gx mask cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from agentlens.errors import InvalidArgument
from agentlens.saliency.optimise.problem import BANK, DRAWN_FILLS
from agentlens.saliency.references import parse_reference
from agentlens.saliency.seeds import counted_generator

if TYPE_CHECKING:
    from torch import Tensor

    from agentlens.saliency.base import FrameBatch


@dataclass(frozen=True, kw_only=True, eq=False)
class FillSource:
    """Where fills come from.

    ``fill``: see ``parse_fill``. ``pictures``: what the recording gives, by name. ``cells``:
    (gy, gx) of the mask's grid. ``seed``: of the draws, which are counted by episode and step, so
    that a frame's fills do not depend on its company.
    """

    fill: str
    pictures: Mapping[str, np.ndarray]
    cells: tuple[int, int]
    seed: int

    def series(self, frames: FrameBatch, count: int) -> Callable[[int], Tensor]:
        """For each of ``count`` steps, in order, the fill of every frame: [F, K, H, W].

        Raises:
            InvalidArgument: what the fill needs of the recording was not handed over.
        """
        if self.fill not in DRAWN_FILLS:
            fixed = parse_reference(self.fill).fill(frames, self.pictures)
            return lambda step: fixed
        generators = [
            counted_generator(self.seed, episode, step)
            for episode, step in zip(frames.episodes, frames.steps, strict=True)
        ]
        if self.fill == "uniform":
            return partial(_uniform, frames.observations, generators)
        if BANK not in self.pictures:
            raise InvalidArgument(f"fill {self.fill!r} needs observations of the recording.")
        bank = frames.observations.new_tensor(self.pictures[BANK])
        drawn = (count,) if self.fill == "frames" else (count, *self.cells)
        chosen = np.stack([g.integers(0, len(bank), drawn) for g in generators], 1)
        if self.fill == "frames":
            return lambda step: bank[torch.from_numpy(chosen[step]).to(bank.device)]
        owner = _owners((bank.shape[-2], bank.shape[-1]), self.cells)
        return lambda step: _mosaic(bank, chosen[step].reshape(len(frames), -1)[:, owner])


def _uniform(observations: Tensor, generators: Sequence[np.random.Generator], step: int) -> Tensor:
    """Uniform noise between each frame's extremes."""
    low = observations.amin((1, 2, 3), keepdim=True)
    high = observations.amax((1, 2, 3), keepdim=True)
    shape = tuple(observations.shape[1:])
    noise = observations.new_tensor(np.stack([g.random(shape, np.float32) for g in generators]))
    return low + noise * (high - low)


def _owners(observation: tuple[int, int], cells: tuple[int, int]) -> np.ndarray:
    """The number of the cell that each pixel lies in: int [H, W]."""
    rows, columns = (np.arange(n) * c // n for n, c in zip(observation, cells, strict=True))
    return np.asarray(rows[:, None] * cells[1] + columns[None, :])


def _mosaic(bank: Tensor, sources: np.ndarray) -> Tensor:
    """Pixels from the observations of the bank that ``sources``, int [F, H, W], names."""
    height, width = bank.shape[-2:]
    frame = torch.from_numpy(sources).to(bank.device)
    row = torch.arange(height, device=bank.device)[:, None]
    column = torch.arange(width, device=bank.device)[None, :]
    return bank.movedim(1, -1)[frame, row, column].movedim(-1, 1)
