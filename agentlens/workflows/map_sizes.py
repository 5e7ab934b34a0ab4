"""Methods fitted to agents that see the screen at another size, and how large their masks are."""

from __future__ import annotations

import dataclasses
import math

from agentlens.saliency.base import SaliencyMethod
from agentlens.spec import AgentSpec


def fitted_method(
    method: SaliencyMethod, spec: AgentSpec, first: AgentSpec, screen: tuple[int, int]
) -> SaliencyMethod:
    """The method with masks as large on the screen as they are for the first agent.

    Agents that see the screen at another size or crop get another radius and stride in their own
    pixels, so that a mask covers the same area of the screen (a mask is round in observation
    pixels; where rows and columns are resized differently its shape differs a little).
    """
    factor = math.sqrt(_density(spec, screen) / _density(first, screen))
    if abs(factor - 1) < 1e-9:
        return method
    radius, stride = method.radius, method.stride
    return dataclasses.replace(
        method, radius=round(radius * factor, 3), stride=max(1, round(stride * factor))
    )


def footprint(
    method: SaliencyMethod, spec: AgentSpec, screen: tuple[int, int]
) -> tuple[float, float]:
    """Standard deviation of a mask on the screen, (rows, columns) in its pixels."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    radius = getattr(method, "radius", 0.0)
    return radius * (bottom - top) / rows, radius * (right - left) / columns


def _density(spec: AgentSpec, screen: tuple[int, int]) -> float:
    """Observation pixels for each pixel of the screen."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    return rows * columns / ((bottom - top) * (right - left))
