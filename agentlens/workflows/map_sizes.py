"""Methods fitted to agents that see the screen at another size, and how large their masks are."""

from __future__ import annotations

import math

from agentlens.saliency.base import SaliencyMethod
from agentlens.spec import AgentSpec


def fitted_method(
    method: SaliencyMethod, spec: AgentSpec, first: AgentSpec, screen: tuple[int, int]
) -> SaliencyMethod:
    """The method with masks as large on the screen as they are for the first agent.

    Agents that see the screen at another size or crop get lengths in their own pixels, so that a
    mask covers the same area of the screen (a mask is round in observation pixels; where rows and
    columns are resized differently its shape differs a little).
    """
    return method.rescaled(math.sqrt(_density(spec, screen) / _density(first, screen)))


def footprint(
    method: SaliencyMethod, spec: AgentSpec, screen: tuple[int, int]
) -> tuple[float, float]:
    """How large what a mask hides is on the screen, (rows, columns) in its pixels; 0 without
    masks."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    size = method.footprint((rows, columns)) or 0.0
    return size * (bottom - top) / rows, size * (right - left) / columns


def _density(spec: AgentSpec, screen: tuple[int, int]) -> float:
    """Observation pixels for each pixel of the screen."""
    top, bottom, left, right = spec.observation.screen_rectangle(screen)
    rows, columns = spec.observation.resize
    return rows * columns / ((bottom - top) * (right - left))
