"""What saliency maps are measured against: the literature's serial loop, and captum.

Both give the map of ``PerturbationExplainer`` up to rounding: Gaussian masks of radius 5 every
5 pixels, centred in their cells, filled with each plane blurred by sigma 3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput

RADIUS, STRIDE, BLUR = 5, 5, 3

Score = Callable[[PolicyOutput, PolicyOutput, Tensor], Tensor]
"""Of the unperturbed output, perturbed ones and the explained action: one number a row."""


def literature_map(
    policy: Policy, observation: np.ndarray, state: Tensor | None, action: int, score: Score
) -> np.ndarray:
    """A map by one forward pass a mask, as Greydanus et al. 2018 and most code after them do it.

    Mask and blurred frame are made anew for every mask. One forward pass for the unperturbed
    output. Takes [K, H, W] float32; returns [gy, gx].
    """
    chosen = torch.tensor([action])
    with torch.inference_mode():
        base = policy(torch.from_numpy(observation)[None], state)
        height, width = observation.shape[1:]
        rows = range(STRIDE // 2, height, STRIDE)
        columns = range(STRIDE // 2, width, STRIDE)
        heat = np.zeros((len(rows), len(columns)), np.float32)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                mask = _mask(height, width, row, column)
                blurred = np.stack([gaussian_filter(plane, BLUR) for plane in observation])
                perturbed = observation * (1 - mask) + blurred * mask
                output = policy(torch.from_numpy(perturbed.astype(np.float32))[None], state)
                heat[i, j] = float(score(base, output, chosen))
    return heat


def careful_map(
    policy: Policy,
    observation: np.ndarray,
    state: Tensor | None,
    action: int,
    score: Score,
    masks: np.ndarray,
) -> np.ndarray:
    """The same map by the same loop, as a careful author writes it: masks [M, H, W] made once for
    all frames, one blur a frame. Still one forward pass a mask; returns [M].
    """
    chosen = torch.tensor([action])
    with torch.inference_mode():
        base = policy(torch.from_numpy(observation)[None], state)
        blurred = np.stack([gaussian_filter(plane, BLUR) for plane in observation])
        difference = blurred - observation
        heat = np.zeros(len(masks), np.float32)
        for i, mask in enumerate(masks):
            perturbed = torch.from_numpy(observation + mask * difference)
            output = policy(perturbed[None], state)
            heat[i] = float(score(base, output, chosen))
    return heat


def _mask(height: int, width: int, row: int, column: int) -> np.ndarray:
    cross = np.zeros((height, width), np.float32)
    for y, x in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        if 0 <= row + y < height and 0 <= column + x < width:
            cross[row + y, column + x] = 1
    mask = gaussian_filter(cross, RADIUS)
    return mask / mask.max()


class CaptumMap:
    """The same map by captum's FeatureAblation: a feature is "mask i is not applied"."""

    def __init__(self, policy: Policy, masks: Tensor, score: Score) -> None:
        from captum.attr import FeatureAblation

        self._policy, self._masks, self._score = policy, masks, score
        self._ablation = FeatureAblation(self._forward)

    def __call__(
        self,
        observation: Tensor,
        reference: Tensor,
        state: Tensor | None,
        action: int,
        perturbations_per_eval: int,
    ) -> Tensor:
        """The map [M] of one observation [K, H, W]."""
        self._frame = (observation, reference - observation, state)
        self._action = torch.tensor([action], device=self._masks.device)
        with torch.inference_mode():
            self._base = self._policy(observation[None], state)
            kept = torch.ones(1, len(self._masks), device=self._masks.device)
            found = self._ablation.attribute(
                kept, baselines=0, perturbations_per_eval=perturbations_per_eval
            )
        return -found[0]

    def _forward(self, kept: Tensor) -> Tensor:
        observation, difference, state = self._frame
        lowest, mask = kept.min(dim=1)
        applied = (1 - lowest)[:, None, None] * self._masks[mask]
        inputs = observation + applied[:, None] * difference
        before = None if state is None else state.expand(len(inputs), -1)
        return self._score(self._base, self._policy(inputs, before), self._action)
