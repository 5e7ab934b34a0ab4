"""How good a mask is: its score, its area and its roughness, one number a frame.

Shape letters: F frames, P plane selections, H W observation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentlens.saliency.optimise.problem import MaskProblem

_AREA_WEIGHT = 30.0
"""Weight of the distance from the wanted sorted mask (Fong et al. 2019 ramp theirs up to 300)."""

_GHOSTS = 0.2, 0.8
"""A mask's value between these is semi-transparent."""


def total_variation(masks: Tensor, power: float) -> Tensor:
    """The mean of |differences|^power between neighbouring pixels of [F, P, H, W]: [F]."""
    down = (masks[..., 1:, :] - masks[..., :-1, :]).abs().pow(power).mean((1, 2, 3))
    across = (masks[..., 1:] - masks[..., :-1]).abs().pow(power).mean((1, 2, 3))
    return down + across


def area_distance(shown: Tensor, area: float) -> Tensor:
    """How far a map is from ones on ``area`` of its pixels and zeros elsewhere: [F].

    The mean square of the sorted values less the sorted ideal (Fong et al. 2019, equation 5).
    """
    ordered = shown.flatten(1).sort(dim=1).values
    ideal = torch.zeros_like(ordered)
    ideal[:, round(ordered.shape[1] * (1 - area)) :] = 1
    return (ordered - ideal).square().mean(1)


def ghost_share(masks: Tensor) -> float:
    """The share of mask values between .2 and .8: neither hidden nor shown, so that what they let
    through is in no picture that the policy could meet."""
    return float(((masks > _GHOSTS[0]) & (masks < _GHOSTS[1])).float().mean())


def mask_loss(
    problem: MaskProblem, score: Tensor, masks: Tensor, area_weight: Tensor, progress: float
) -> Tensor:
    """The loss of each frame: [F].

    Args:
        problem: what is wanted.
        score: [F], D in units of its scale.
        masks: [F, P, H, W], 1 = hidden.
        area_weight: [F], the present weight of the mask's mean; unused with a fixed area.
        progress: share of the steps done, 0 to 1; ramps up the fixed area's weight.
    """
    preserve = problem.goal == "preserve"
    loss = score if preserve else (-score).exp()
    if problem.fixed_area is not None:
        shown = 1 - masks if preserve else masks
        loss = loss + _AREA_WEIGHT * progress * area_distance(shown, problem.fixed_area)
    else:
        mean = masks.mean((1, 2, 3))
        loss = loss - area_weight * mean if preserve else loss + area_weight * mean
    if problem.smoothness:
        loss = loss + problem.smoothness * total_variation(masks, problem.variation_power)
    return loss
