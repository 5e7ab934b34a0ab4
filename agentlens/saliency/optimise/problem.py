"""What is wanted of a learned mask: one frozen object that every learned method fills in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from agentlens.counts import check_count
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.saliency.references import parse_reference

Goal = Literal["preserve", "destroy"]
Relaxation = Literal["sigmoid", "concrete"]

MASK_NETWORK = "mask network"
"""Purpose of the artefact that holds one."""

AUTO: Literal["auto"] = "auto"
"""As an area weight: found for each frame, by how many decisions are to survive."""


DRAWN_FILLS = ("frames", "cells", "uniform")
"""Fills that are drawn anew in every step."""

REFERENCE_FILLS = ("blur", "constant", "median", "mean", "previous", "noise")
"""Fills that are the same in every step."""

BANK = "frames"
"""What drawn fills need of a recording: observations, float32 [N, K, H, W]."""


def parse_fill(text: str) -> frozenset[str]:
    """What a fill needs of the recording: "median", "mean", "previous", "frames".

    Raises:
        UnknownName: no such fill.
        InvalidArgument: a number that its reference does not take.
    """
    if text in DRAWN_FILLS:
        return frozenset() if text == "uniform" else frozenset({BANK})
    if text.partition(":")[0] not in REFERENCE_FILLS:
        raise UnknownName("fill", text, (*DRAWN_FILLS, *REFERENCE_FILLS))
    return parse_reference(text).pictures


def as_reference(fill: str) -> str:
    """The reference nearest to a fill: itself, or the recording's median where it is drawn anew.

    Example:
        >>> as_reference("blur:2"), as_reference("cells")
        ('blur:2', 'median')
    """
    return "median" if fill in DRAWN_FILLS else fill


@dataclass(frozen=True, kw_only=True)
class MaskProblem:
    """A mask that hides as much as it can, or as little as it needs.

    With m the mask (1 = hidden), D the score of the outputs on o and o' (in nats for kl and
    log_probability, else over what hiding everything does) and w the ``area_weight``:

    - ``goal="preserve"``, the smallest sufficient part: minimise D - w mean(m); the map is 1 - m,
      the share of a pixel that must stay.
    - ``goal="destroy"``, the smallest destroying part: minimise exp(-D) + w mean(m); the map is m.
      For ``log_probability`` exp(-D) is the explained action's probability after hiding, over the
      one before. With kl or log_probability a mask may make evidence for another action as well as
      hide it for this one; ``logit``, the explained action's own, sees the latter alone.

    Raises:
        InvalidArgument: a number out of range, or switches that exclude each other.
    """

    goal: Goal = "preserve"
    """Whether what stays must suffice, or what is hidden must destroy."""
    relaxation: Relaxation = "sigmoid"
    """A mask's values: sigmoids, or relaxed Bernoulli draws (concrete distribution)."""
    concrete_temperature: float = 0.1
    """Of the relaxed draws: small is nearly 0 or 1."""
    fill: str = "median"
    """What stands in the hidden part, anew in every step of the optimisation."""
    area_weight: float | Literal["auto"] = AUTO
    """Weight of the mask's mean, in units of the score; auto: by ``kept_decisions``."""
    kept_decisions: float = 0.95
    """With an automatic weight: the share of steps in which the decision survives (preserve)."""
    fixed_area: float | None = None
    """Share of the observation that the map takes up, given instead of an area weight."""
    smoothness: float = 0.0
    """Weight of the mask's total variation, mean over neighbours."""
    variation_power: float = 1.0
    """Exponent of the differences in the total variation."""
    steps: int = 40
    """Steps of Adam."""
    learning_rate: float = 0.4
    """Of Adam, for the mask's free numbers."""
    draws: int = 1
    """Masks and fills drawn in each step."""
    start: float = 0.5
    """What every mask value is at the start, between 0 and 1."""
    seed: int = 0
    """Of fills and draws, counted by episode and step."""

    def __post_init__(self) -> None:
        parse_fill(self.fill)
        positive = ("concrete_temperature", "variation_power", "learning_rate")
        for name in positive:
            _check(name, getattr(self, name), 0, math.inf, open_ends=True)
        for name in ("kept_decisions", "start"):
            _check(name, getattr(self, name), 0, 1, open_ends=True)
        _check("smoothness", self.smoothness, 0, math.inf)
        for name, least in (("steps", 1), ("draws", 1), ("seed", 0)):
            check_count(name, getattr(self, name), least)
        if self.area_weight != AUTO:
            _check("area weight", self.area_weight, 0, math.inf)
        if self.fixed_area is not None:
            _check("fixed area", self.fixed_area, 0, 1, open_ends=True)
        elif self.area_weight == AUTO and self.goal == "destroy":
            raise InvalidArgument(
                "area weight 'auto' keeps decisions, which goal 'destroy' is to change: give a "
                "number, or a fixed area."
            )


def _check(name: str, value: object, low: float, high: float, *, open_ends: bool = False) -> None:
    """Refuse what is not a number between the bounds."""
    inside = isinstance(value, int | float) and not isinstance(value, bool)
    if inside and isinstance(value, int | float):
        inside = low < value < high if open_ends else low <= value < high
    if not inside:
        bounds = f"above {low:g} and below" if open_ends else f"from {low:g} to below"
        raise InvalidArgument(f"{name} {value!r}: expected a number {bounds} {high:g}.")
