"""Attributes of objects: where each is, how it moves, and how it stands to what the agent moves.

Shape letters: T steps, G groups of objects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agentlens.arrays import check_shape
from agentlens.envs.atari.objects import Boxes

STILL_PX = 0.5
"""Slower than this an object stands still, pixels a step."""

_JUMP_PX = 40.0
"""Faster than this it is another one that came into being elsewhere."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attributes:
    """Attributes of G groups of objects over T neighbouring steps; NaN where there is none.

    ``present``: bool [T, G]. ``y``, ``x``: float [T, G], the middle of all boxes of the group,
    screen pixels. ``dy``, ``dx``: change since the step before, pixels; 0 where it stands still.
    ``gap_y``, ``gap_x``: from the agent's own object, positive below and to the right, 0 where
    the boxes overlap in that direction. ``approaching``: float, 1 where the distance to the own
    object shrank, 0 where not.
    """

    groups: tuple[str, ...]
    own: str
    present: np.ndarray
    y: np.ndarray
    x: np.ndarray
    dy: np.ndarray
    dx: np.ndarray
    gap_y: np.ndarray
    gap_x: np.ndarray
    approaching: np.ndarray

    def after(self, count: int) -> Attributes:
        """The same without the first ``count`` steps."""
        columns = ("present", "y", "x", "dy", "dx", "gap_y", "gap_x", "approaching")
        return replace(self, **{name: getattr(self, name)[count:] for name in columns})


def attributes_of(boxes: Boxes, own: str = "") -> Attributes:
    """Attributes of neighbouring steps.

    Args:
        boxes: of T neighbouring steps, in order.
        own: the group that the agent moves, "" where nobody knows.

    Returns:
        The attributes of every group, in the order of ``boxes.groups``.
    """
    groups = tuple(dict.fromkeys(boxes.groups))
    edges = np.stack([_group_edges(boxes, group) for group in groups], 1)
    check_shape("edges", edges, (len(boxes), len(groups), 4))
    present = ~np.isnan(edges).any(-1)
    y, x = edges[..., :2].mean(-1), edges[..., 2:].mean(-1)
    dy, dx = _change(y), _change(x)
    gap_y = gap_x = approaching = np.full(y.shape, np.nan)
    if own in groups:
        mine = groups.index(own)
        gap_y = _gap(edges[..., :2], edges[:, mine : mine + 1, :2])
        gap_x = _gap(edges[..., 2:], edges[:, mine : mine + 1, 2:])
        distance = np.hypot(y - y[:, mine : mine + 1], x - x[:, mine : mine + 1])
        closer = _change(distance)
        approaching = np.where(np.isnan(closer), np.nan, (closer < -STILL_PX).astype(float))
        for column in (gap_y, gap_x, approaching):
            column[:, mine] = np.nan
    return Attributes(
        groups=groups,
        own=own,
        present=present,
        y=y,
        x=x,
        dy=dy,
        dx=dx,
        gap_y=gap_y,
        gap_x=gap_x,
        approaching=approaching,
    )


def _group_edges(boxes: Boxes, group: str) -> np.ndarray:
    """The box around all present objects of a group: float [T, 4], NaN where there is none."""
    members = np.array([name == group for name in boxes.groups])
    there = boxes.present[:, members]
    edges = boxes.edges[:, members].astype(np.float64)
    edges[~there] = np.nan
    centres = np.full((len(boxes), 4), np.nan)
    some = there.any(1)
    for column, take in enumerate((np.nanmin, np.nanmax, np.nanmin, np.nanmax)):
        centres[some, column] = take(edges[some][:, :, column], axis=1)
    return centres


def _change(values: np.ndarray) -> np.ndarray:
    """Change since the step before; NaN at the first step, and where an object came or jumped."""
    change = np.full(values.shape, np.nan)
    change[1:] = values[1:] - values[:-1]
    with np.errstate(invalid="ignore"):
        change[np.abs(change) > _JUMP_PX] = np.nan
        change[np.abs(change) < STILL_PX] = 0.0
    return change


def _gap(other: np.ndarray, own: np.ndarray) -> np.ndarray:
    """From one interval to another, signed; 0 where they overlap: [T, G] of [T, G, 2]."""
    after = other[..., 0] - own[..., 1]
    before = other[..., 1] - own[..., 0]
    with np.errstate(invalid="ignore"):
        gap = np.where(after > 0, after, np.where(before < 0, before, 0.0))
    return np.where(np.isnan(after), np.nan, gap)
