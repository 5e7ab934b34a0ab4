"""Static plans of the incremental engine: which outputs of each step of a trunk a mask can reach.

Shape letters: M masks, m masks of a chunk, P output positions of a layer, k taps of its kernel,
R (mask, position) pairs that a layer recomputes, C channels. Positions are flat, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agentlens.policies.base import OBSERVATION_READ, Trunk, window_sides

WORTH_LEAVING_OUT = 0.75
"""Numbers that are zero are left out where at most this share is nonzero: leaving out takes a
copy."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """What every output position of a step reads.

    ``reads``: the earlier steps. ``taps``: int64 [P, k], flat input position under each tap of a
    convolution or a pool; H*W stands for the padding. A sum has one tap, the position itself.
    ``kernel`` and ``outputs``: (rows, columns).
    """

    reads: tuple[int, ...]
    taps: Tensor
    kernel: tuple[int, int]
    outputs: tuple[int, int]


class HeadRun(NamedTuple):
    """Masks ``[first, last)`` of a chunk that change trunk positions ``[start, stop)``."""

    first: int
    last: int
    start: int
    stop: int


class Segment(NamedTuple):
    """Pairs of the first layer at U successive positions, n masks each, filled up with none.

    ``mask_taps``: [U, n, k], the mask under each tap. The pair at the u-th position and the slot
    i is row ``row + u * n + i`` of the table.
    """

    position: int
    row: int
    mask_taps: Tensor


class Group(NamedTuple):
    """Rows of a later layer up to ``stop`` that read taps ``[first_tap, last_tap)`` alone."""

    stop: int
    first_tap: int
    last_tap: int


class LayerRows(NamedTuple):
    """The pairs of a later step, next to their like: groups follow each other from row 0 on.

    ``positions``: int64 [R]. ``sources``: int32 [R, k], planned rows of the step that is read; of
    a sum [R, steps read]. ``stops``: int64, the groups' stops.
    """

    positions: Tensor
    sources: Tensor
    groups: tuple[Group, ...]
    stops: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class ChunkPlan:
    """Everything about masks ``start`` to ``stop`` (excluded) that does not depend on a frame.

    A layer has a *planned row* for each pair, from 1 on; row 0 stands for whatever a mask does not
    reach, a difference of zero. The rows that a frame really changes are fewer: see
    ``propagate.Propagation``.

    ``first``: the first layer's pairs, grouped by position so that batched products compute them.
    ``edges``: int64 [segments, 2], the positions at which each begins and ends.
    ``row_positions``: int32, the position of each of their rows.
    ``later``: the pairs of the following layers.
    ``final``: int32 [m * P], the last layer's planned row of each mask and position.
    ``runs``: the trunk positions that a range of masks can change, a row of positions each.
    """

    start: int
    stop: int
    first: tuple[Segment, ...]
    edges: Tensor
    row_positions: Tensor
    later: tuple[LayerRows, ...]
    final: Tensor
    runs: tuple[HeadRun, ...]

    @property
    def masks(self) -> int:
        """m."""
        return self.stop - self.start

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of each layer's table without row 0."""
        first = sum(s.mask_taps.shape[0] * s.mask_taps.shape[1] for s in self.first)
        return (first, *(len(layer.positions) for layer in self.later))

    @property
    def nbytes(self) -> int:
        """Memory that the plan holds, in bytes."""
        tensors = [
            self.edges,
            self.row_positions,
            self.final,
            *(segment.mask_taps for segment in self.first),
        ]
        for layer in self.later:
            tensors += [layer.positions, layer.sources, layer.stops]
        return sum(t.numel() * t.element_size() for t in tensors)


def read_windows(trunk: Trunk, observation: tuple[int, int]) -> tuple[Windows, ...]:
    """Work out what each step of a trunk reads, from (H, W) on.

    Expects convolutions with dilation 1, one group and numeric padding with zeros, and pools
    without dilation that round sizes down.
    """
    windows: list[Windows] = []
    for window, _, reads in trunk.steps:
        inputs = observation if reads == (OBSERVATION_READ,) else windows[reads[0]].outputs
        windows.append(_windows(window, reads, inputs))
    return tuple(windows)


def _windows(
    window: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | None,
    reads: tuple[int, ...],
    inputs: tuple[int, int],
) -> Windows:
    sides = ((1, 1), (1, 1), (0, 0)) if window is None else window_sides(window)
    kernel, stride, padding = sides
    rows, columns = (_axis(inputs[i], kernel[i], stride[i], padding[i]) for i in range(2))
    flat = rows[:, None, :, None] * inputs[1] + columns[None, :, None, :]
    inside = (rows >= 0)[:, None, :, None] & (columns >= 0)[None, :, None, :]
    taps = torch.where(inside, flat, inputs[0] * inputs[1])
    return Windows(
        reads=reads,
        taps=taps.reshape(len(rows) * len(columns), -1),
        kernel=kernel,
        outputs=(len(rows), len(columns)),
    )


def _axis(size: int, kernel: int, stride: int, padding: int) -> Tensor:
    """Inputs that each output reads along one axis, int64 [outputs, kernel]; -1 for padding."""
    outputs = (size + 2 * padding - kernel) // stride + 1
    reads = torch.arange(outputs)[:, None] * stride - padding + torch.arange(kernel)
    return torch.where(reads < size, reads, -1).clamp(min=-1)


def plan_chunk(windows: tuple[Windows, ...], masks: Tensor, start: int, stop: int) -> ChunkPlan:
    """Plan the masks ``start`` to ``stop`` (excluded) of ``masks``, float [M, H, W]."""
    chosen = _with_padding(masks[start:stop].flatten(1))
    reach = _next_reach(chosen != 0, windows[0])
    first, table = _first_layer(chosen, reach, windows[0])
    later, tables = [], [table]
    for layer in windows[1:]:
        read = [tables[index] for index in layer.reads]
        rows, table = _sum_rows(read) if len(read) > 1 else _later_layer(read[0], layer)
        later.append(rows)
        tables.append(table)
    return ChunkPlan(
        start=start,
        stop=stop,
        first=first,
        edges=torch.tensor(
            [[s.position, s.position + len(s.mask_taps)] for s in first], dtype=torch.int64
        ).view(-1, 2),
        row_positions=_row_positions(first),
        later=tuple(later),
        final=table[:, :-1].reshape(-1),
        runs=_head_runs(table[:, :-1] != 0, windows[-1].outputs),
    )


def _with_padding(values: Tensor) -> Tensor:
    """The same [m, P] with a column of zeros for the padding, [m, P + 1]."""
    return torch.cat([values, values.new_zeros(len(values), 1)], dim=1)


def _next_reach(changed: Tensor, layer: Windows) -> Tensor:
    """Outputs that read a changed input: bool [m, inputs + 1] -> bool [m, P]."""
    return changed[:, layer.taps].any(dim=2)


def _first_layer(
    masks: Tensor, reach: Tensor, layer: Windows
) -> tuple[tuple[Segment, ...], Tensor]:
    """The segments and the table row of each mask and position, int32 [m, P + 1].

    A segment is a run of whole rows of positions whose busiest position has equally many masks:
    fewer masks reach the upper and lower rows of a chunk.
    """
    table = torch.zeros(len(reach), reach.shape[1] + 1, dtype=torch.int32)
    slots = reach.cumsum(dim=0)
    most = slots[-1].view(layer.outputs).amax(dim=1)
    height, width = layer.outputs
    bounds = [0, *(y for y in range(1, height) if most[y] != most[y - 1]), height]
    segments, row = [], 1
    for top, bottom in pairwise(bounds):
        count = int(most[top])
        if count == 0:
            continue
        low, high = top * width, bottom * width
        mask, position = reach[:, low:high].nonzero(as_tuple=True)
        slot = slots[mask, low + position] - 1
        mask_taps = masks.new_zeros(high - low, count, layer.taps.shape[1])
        mask_taps[position, slot] = masks[mask[:, None], layer.taps[low + position]]
        table[mask, low + position] = (row + position * count + slot).int()
        segments.append(Segment(low, row, mask_taps))
        row += (high - low) * count
    return tuple(segments), table


def _row_positions(segments: tuple[Segment, ...]) -> Tensor:
    """The position of every planned row of the first layer, int32 [rows]."""
    positions = [torch.zeros(0, dtype=torch.int32)]
    for position, _, mask_taps in segments:
        count, slots, _ = mask_taps.shape
        positions.append(torch.arange(position, position + count).int().repeat_interleave(slots))
    return torch.cat(positions)


def _sum_rows(tables: list[Tensor]) -> tuple[LayerRows, Tensor]:
    """The pairs of a sum of steps with these tables [m, P + 1], and its own table."""
    mask, position = torch.stack(tables).any(0)[:, :-1].nonzero(as_tuple=True)
    sources = torch.stack([table[mask, position] for table in tables], dim=1)
    groups = (Group(len(mask), 0, len(tables)),)
    rows = LayerRows(position, sources, groups, torch.tensor([len(mask)]))
    return rows, _own_table(mask, position, tables[0])


def _own_table(mask: Tensor, position: Tensor, like: Tensor) -> Tensor:
    """The table of pairs that follow each other from row 1 on."""
    table = torch.zeros_like(like)
    table[mask, position] = torch.arange(1, len(mask) + 1, dtype=torch.int32)
    return table


def _later_layer(table: Tensor, layer: Windows) -> tuple[LayerRows, Tensor]:
    """The pairs of a layer that reads ``table`` [m, inputs + 1], and its own table [m, P + 1].

    Pairs at the edge of a mask's reach read only some rows of the kernel; they are put next to
    their like, so that the others are left out of the product.
    """
    reach = _next_reach(table != 0, layer)
    mask, position = reach.nonzero(as_tuple=True)
    sources = table[mask[:, None], layer.taps[position]]
    height, width = layer.kernel
    read = (sources != 0).view(-1, *layer.kernel).any(dim=2).int()
    first_row, last_row = read.argmax(dim=1), height - read.flip(1).argmax(dim=1)
    pattern = first_row * (height + 1) + last_row
    order = pattern.argsort(stable=True)
    mask, position, sources, pattern = (t[order] for t in (mask, position, sources, pattern))
    counts = pattern.bincount()
    kinds = counts.nonzero().flatten()
    stops = counts.cumsum(0)[kinds]
    groups = []
    for kind, stop in zip(kinds.tolist(), stops.tolist(), strict=True):
        first_tap, last_tap = (kernel_row * width for kernel_row in divmod(kind, height + 1))
        groups.append(Group(stop, first_tap, last_tap))
    own = _own_table(mask, position, table.new_zeros(len(reach), reach.shape[1] + 1))
    return LayerRows(position, sources, tuple(groups), stops), own


def _head_runs(reach: Tensor, outputs: tuple[int, int]) -> tuple[HeadRun, ...]:
    """For each row of positions the smallest ranges of masks and positions that cover its pairs."""
    runs = []
    for row, pairs in enumerate(reach.view(-1, *outputs).unbind(1)):
        mask, column = pairs.any(1).nonzero().flatten(), pairs.any(0).nonzero().flatten()
        if len(mask):
            start = row * outputs[1]
            first, last = int(mask[0]), int(mask[-1]) + 1
            runs.append(HeadRun(first, last, start + int(column[0]), start + int(column[-1]) + 1))
    return tuple(runs)
