"""Checks that observations are what a policy was trained on, before numbers are believed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from agentlens.arrays import check_dtype, check_finite
from agentlens.errors import InvalidArgument, NotFinite, ShapeError
from agentlens.policies.base import Policy
from agentlens.spec import ObservationSpec


def check_observations(observations: np.ndarray, spec: ObservationSpec) -> None:
    """Check shape, axis order, dtype and scale of what a policy is about to see.

    A plane of uint8 divided by ``scale_divisor`` lies in [0, 255 / scale_divisor] and holds whole
    multiples of 1 / scale_divisor. Beyond that range the division was left out; other values
    mean that it was done twice, or with another number.

    Args:
        observations: float32 [B, K, H, W].
        spec: what the policy was trained on.

    Raises:
        ShapeError: another size, or the axes in another order (nothing is transposed silently).
        DtypeError: not float32.
        NotFinite: a NaN or an infinity.
        InvalidArgument: scaled otherwise than the spec says.
    """
    expected, got = spec.shape, tuple(observations.shape)
    if got[1:] != expected or len(got) != 4:
        advice = ""
        if len(got) == 4 and got[1:] == (*expected[1:], expected[0]):
            advice = " These look like [B, H, W, K]: move the planes to axis 1."
        elif got == expected:
            advice = " Add a batch axis."
        raise ShapeError(
            f"observations have shape {got}, expected (any, "
            f"{', '.join(map(str, expected))}).{advice}"
        )
    check_dtype("observations", observations, "float32")
    check_finite("observations", observations)
    if observations.size == 0:
        return
    low, high = float(observations.min()), float(observations.max())
    top = 255.0 / spec.scale_divisor
    if low < 0.0 or high > top * 1.001:
        raise InvalidArgument(
            f"observations run from {low:g} to {high:g}, but with scale_divisor "
            f"{spec.scale_divisor:g} they lie in 0 to {top:g}: divide uint8 by it, once."
        )
    if spec.plane_rounding != "float":
        _check_grey_levels(observations, spec.scale_divisor)


def _check_grey_levels(observations: np.ndarray, divisor: float) -> None:
    levels = observations * np.float32(divisor)
    off = np.abs(levels - np.rint(levels)) > 0.01
    if off.any():
        value = float(observations[off][0])
        raise InvalidArgument(
            f"observations hold {value:g}, which is no whole grey level divided by scale_divisor "
            f"{divisor:g}: divide uint8 planes by it, once (divided twice?)."
        )


def check_outputs_finite(policy: Policy, spec: ObservationSpec, name: str) -> None:
    """Evaluate a policy on a black, a white and a random picture: its outputs must be finite.

    Raises:
        NotFinite: finite weights, but they give a NaN or an infinity; names the output.

    Notes:
        One forward pass of three observations.
    """
    top = 255.0 / spec.scale_divisor
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(3, *spec.shape, generator=generator)
    pictures[0], pictures[1] = 0.0, 1.0
    with torch.inference_mode():
        output = policy(pictures * top, policy.initial_state(3))
    for field, tensor in zip(output._fields, output, strict=True):
        if isinstance(tensor, Tensor) and not bool(torch.isfinite(tensor).all()):
            raise NotFinite(
                f"{name}: its {field} is not finite on a black, a white or a random picture, "
                "though its weights are: they are broken, or meant for another scale of input."
            )
