"""Frequency filters over a policy's features.

Shape letters: F frames, C channels, h w feature rows and columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.policies.base import Policy
from agentlens.saliency.base import FrameBatch, MapBatch
from agentlens.saliency.feature_grid import chosen_convolution, feature_grid
from agentlens.saliency.frame_by_frame import frame_by_frame
from agentlens.saliency.methods.spectral import Spectral
from agentlens.saliency.targets import TARGETS


class SpectralExplainer:
    """Coarse times fine features of one convolution; an ``Explainer``."""

    planes = ("all",)
    forward_passes = 1

    def __init__(self, policy: Policy, method: Spectral) -> None:
        self._trunk, layer = chosen_convolution(policy, method.layer, "spectral")
        self._policy, self._method = policy, method
        self._step = self._trunk.convolutions[layer]
        depth = len(self._trunk.convolutions)
        self.engine = f"forward, features after convolution {layer + 1} of {depth}"
        self.targets = (TARGETS["spectral"],)
        self.grid = feature_grid(self._trunk, self._step, policy.observation_shape[1:])

    def __call__(self, frames: FrameBatch) -> MapBatch:
        """Explain F steps; see ``Explainer``."""
        return frame_by_frame(frames, self._policy, self._explain)

    @torch.no_grad()
    def _explain(self, frame: FrameBatch) -> MapBatch:
        outputs: list[Tensor] = []
        self._trunk.extend(outputs, frame.observations, self._step + 1)
        method = self._method
        evidence = coarse_times_fine(outputs[-1][0], method.coarse, method.fine).sum(0)
        if method.targeted:
            evidence = coarse_times_fine(evidence[None], method.coarse, method.fine)[0]
        return MapBatch(evidence.relu().float()[None, None, None], frame.actions)


def coarse_times_fine(features: Tensor, coarse: float, fine: float) -> Tensor:
    """The product of what two filters leave of each channel: [C, h, w].

    Args:
        features: [C, h, w].
        coarse: width of the Gaussian that is kept, cycles a feature.
        fine: width of the Gaussian whose rest is kept.
    """
    wide = features.double()
    spectrum = torch.fft.fft2(wide)
    rows, columns = (torch.fft.fftfreq(n, dtype=torch.float64) for n in features.shape[-2:])
    squares = (rows[:, None].square() + columns.square()).to(features.device)
    low = torch.fft.ifft2(spectrum * torch.exp(-squares / (2 * coarse**2))).real
    high = torch.fft.ifft2(spectrum * (1 - torch.exp(-squares / (2 * fine**2)))).real
    product: Tensor = low * high
    return product
