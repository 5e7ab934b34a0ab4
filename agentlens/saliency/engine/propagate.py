"""Differences sent through a trunk: the arithmetic of the incremental engine.

A mask changes some outputs of a convolution; what goes from step to step is the difference
``activation(base + change) - activation(base)`` of those rows. Convolutions, average pools and
sums are linear in it; a maximum is taken of ``base + change``, less the base's own. A row that
does not change is an exact zero, whatever product it took part in, and small effects keep their
own precision.

Shape letters: m masks of a chunk, P output positions of a step, k taps of its kernel, R
recomputed rows, C channels, K planes, U and n as in ``plan.ChunkPlan``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from agentlens.policies.base import Trunk
from agentlens.saliency.engine.plan import (
    WORTH_LEAVING_OUT,
    ChunkPlan,
    Group,
    LayerRows,
    Windows,
    read_windows,
)

BLOCK_NUMBERS = 400_000
"""Numbers gathered and multiplied at once, so that they stay in a core's own cache."""

_VECTOR = 64
"""Elementwise kernels see multiples of this many numbers: their tails may round differently."""


class Chain:
    """A trunk's weights laid out for row products; shared by all workers.

    Attributes:
        steps: of the trunk.
        windows: what each step's outputs read.
        weights: by step, [k * C, C'] of each convolution but the first, taps before channels.
        first_weight: [k, K, C'] of the first convolution.
        activate: in-place activation of each step; ``None`` where there is none.
        channels: of each step's output.
    """

    def __init__(self, trunk: Trunk, observation: tuple[int, int]) -> None:
        self.steps = trunk.steps
        self.windows: tuple[Windows, ...] = read_windows(trunk, observation)
        self.weights: dict[int, Tensor] = {}
        self.channels: list[int] = []
        for index, (window, _, reads) in enumerate(trunk.steps):
            if isinstance(window, nn.Conv2d):
                kernel = window.weight.detach().flatten(2).permute(2, 1, 0)
                if index == 0:
                    self.first_weight = kernel.contiguous()
                else:
                    self.weights[index] = kernel.reshape(-1, kernel.shape[2]).contiguous()
                self.channels.append(window.out_channels)
            else:
                self.channels.append(self.channels[reads[0]])
        self.activate = [
            None if step.activation is None else in_place(step.activation) for step in trunk.steps
        ]

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """(C, h, w) of the trunk's output."""
        return (self.channels[-1], *self.windows[-1].outputs)


def in_place(module: nn.Module) -> Callable[[Tensor], Tensor]:
    """The module as a function that overwrites its argument."""
    if isinstance(module, nn.ReLU):
        return torch.relu_
    if isinstance(module, nn.ELU):
        alpha = module.alpha
        return lambda rows: nn.functional.elu(rows, alpha, inplace=True)
    if isinstance(module, nn.LeakyReLU):
        slope = module.negative_slope
        return lambda rows: nn.functional.leaky_relu(rows, slope, inplace=True)
    if isinstance(module, nn.Tanh):
        return torch.tanh_
    return lambda rows: rows.copy_(module(rows))


class Propagation:
    """One worker's workspace: tables, base values and buffers, allocated once.

    Call ``set_observation``, then ``set_difference``, then ``run`` for each chunk.

    What changes nothing in this very frame is left out: first-layer positions whose window the
    reference leaves as it is, rows that read nothing but zeros, channels that no mask moves. So a
    layer's *table* holds the rows in use, one after the other behind a row 0 of zeros, and its
    *lookup* says where each planned row is among them: 0 where it was left out.
    """

    def __init__(self, chain: Chain, rows: Sequence[int]) -> None:
        """Allocate.

        Args:
            chain: the trunk.
            rows: the most rows that a chunk has in each step.
        """
        self._chain = chain
        kind = chain.first_weight.dtype
        first, channels = chain.windows[0], chain.channels
        positions = [len(layer.taps) for layer in chain.windows]

        def matrices(counts: Sequence[int], more: int = 0) -> list[Tensor]:
            return [
                torch.zeros(more + _padded(count, width), width, dtype=kind)
                for count, width in zip(counts, channels, strict=True)
            ]

        self._tables = matrices(rows, 1)
        self._before = matrices(positions)
        self._after = [
            before if activate is None else torch.zeros_like(before)
            for before, activate in zip(self._before, chain.activate, strict=True)
        ]
        self._maxima = {
            step.reads[0]: torch.zeros(1 + positions[step.reads[0]], width, dtype=kind)
            for step, width in zip(chain.steps, channels, strict=True)
            if isinstance(step.window, nn.MaxPool2d)
        }
        self._lookups = [torch.zeros(1 + count, dtype=torch.int32) for count in rows]
        self._counts = [0] * len(rows)
        gathered = [
            min(rows[index] * len(weight), max(len(weight), BLOCK_NUMBERS))
            for index, weight in chain.weights.items()
        ]
        largest = max(rows[0] * first.taps.shape[1], *(t.numel() for t in self._tables))
        self._gathered = torch.empty(max(gathered, default=0), dtype=kind)
        self._base = torch.empty(_most(rows[1:], channels[1:]), dtype=kind)
        sources = [max(len(w.reads), w.taps.shape[1]) for w in chain.windows]
        self._sources = torch.empty(_most(rows[1:], sources[1:]), dtype=torch.int32)
        self._spare = torch.empty(largest, dtype=kind)
        self._change = torch.empty(*first.taps.shape, channels[0], dtype=kind)
        self._reached = torch.empty(0, dtype=torch.int64)
        self._is_reached = torch.zeros(positions[0], dtype=torch.bool)
        self._first = (self._before[0][:0], self._after[0][:0])

    @property
    def nbytes(self) -> int:
        """Memory of the workspace, in bytes."""
        buffers = [self._gathered, self._base, self._sources, self._spare, self._change]
        tensors = [*self._tables, *self._before, *self._after, *self._lookups, *buffers]
        kept = {id(t): t for t in (*tensors, *self._maxima.values())}
        return sum(t.numel() * t.element_size() for t in kept.values())

    def set_observation(self, observation: Tensor) -> Tensor:
        """Evaluate the unperturbed observation [K, H, W]; returns the trunk's output [P, C]."""
        outputs: list[Tensor] = []
        for index, (window, _, reads) in enumerate(self._chain.steps):
            read = [observation[None] if index == 0 else outputs[i] for i in reads]
            output = sum(read[1:], start=read[0])
            output = output.clone() if window is None else window(output)
            activate, positions = self._chain.activate[index], len(self._chain.windows[index].taps)
            before, after = self._before[index], self._after[index]
            before[:positions] = output[0].flatten(1).T
            if isinstance(window, nn.MaxPool2d):
                before[:positions] = self._maxima[reads[0]][self._chain.windows[index].taps].amax(1)
            if activate is not None:
                after.copy_(before)
                activate(after)
                output = activate(output)
            if index in self._maxima:
                self._maxima[index][:-1] = after[:positions]
                self._maxima[index][-1] = -math.inf
            outputs.append(output)
        return self._after[-1][: len(self._chain.windows[-1].taps)]

    def set_difference(self, difference: Tensor, planes: Sequence[int]) -> None:
        """What a full mask would change in the first layer, tap by tap.

        Args:
            difference: reference minus observation, [K, H, W].
            planes: indices of the planes perturbed together; summed here, once for all masks.
        """
        chosen = difference[list(planes)].flatten(1)
        padded = torch.cat([chosen, chosen.new_zeros(len(chosen), 1)], dim=1)
        windows, weight = self._chain.windows[0].taps, self._chain.first_weight[:, list(planes)]
        reached = (padded != 0).any(0)[windows].any(1).nonzero().flatten()
        if len(reached) > WORTH_LEAVING_OUT * len(windows):
            reached = torch.arange(len(windows))
        taps, change = padded[:, windows[reached]], self._change[: len(reached)]
        if len(planes) == 1:
            torch.mul(taps[0, :, :, None], weight[None, :, 0], out=change)
        else:
            change.copy_(torch.bmm(taps.permute(2, 1, 0), weight).permute(1, 0, 2))
        self._reached = reached
        self._is_reached.zero_()
        self._is_reached[reached] = True
        self._first = (self._before[0][reached, None], self._after[0][reached, None])

    def run(self, plan: ChunkPlan, features: Tensor) -> None:
        """Write the differences of the trunk's output under a chunk of masks.

        Args:
            plan: the chunk.
            features: out, [m * P, C], positions outside a mask's reach exactly 0.
        """
        self._counts[0] = self._first_layer(plan)
        for index, layer in enumerate(plan.later, start=1):
            self._counts[index] = self._later_step(index, layer)
        rows = torch.index_select(self._lookups[-1], 0, plan.final)
        torch.index_select(self._tables[-1], 0, rows, out=features)

    def _first_layer(self, plan: ChunkPlan) -> int:
        """Fill the first table and its lookup; returns the rows in use."""
        width, lookup, row = self._chain.channels[0], self._lookups[0], 1
        (before, after), activate = self._first, self._chain.activate[0]
        lookup.zero_()
        used, planned = self._is_reached[plan.row_positions], lookup[1 : 1 + plan.rows[0]]
        torch.cumsum(used, 0, dtype=torch.int32, out=planned)
        planned *= used
        pairs = []
        ranges = torch.searchsorted(self._reached, plan.edges).tolist()
        for segment, (low, high) in zip(plan.first, ranges, strict=True):
            count, slots, taps = segment.mask_taps.shape
            if low == high:
                continue
            mask_taps = segment.mask_taps
            if high - low < count:
                chosen = self._reached[low:high] - segment.position
                copy = self._spare[: (high - low) * slots * taps].view(-1, slots, taps)
                mask_taps = torch.index_select(mask_taps, 0, chosen, out=copy)
            stop = row + (high - low) * slots
            rows = self._tables[0][row:stop].view(-1, slots, width)
            torch.bmm(mask_taps, self._change[low:high], out=rows)
            if activate is not None:
                rows += before[low:high]
                pairs.append((rows, after[low:high]))
            row = stop
        if activate is not None:
            activate(self._tables[0][1 : 1 + _padded(row - 1, width)])
        for rows, subtracted in pairs:
            rows -= subtracted
        return row - 1

    def _later_step(self, index: int, layer: LayerRows) -> int:
        """Fill the table and the lookup of a later step; returns the rows in use."""
        window, activate = self._chain.steps[index].window, self._chain.activate[index]
        reads, width = self._chain.windows[index].reads, self._chain.channels[index]
        narrowed = self._narrow(index, reads[0]) if index in self._chain.weights else None
        sources, kept = self._present_sources(layer, reads)
        count, positions = len(kept), layer.positions.index_select(0, kept)
        padded = self._tables[index][1 : 1 + _padded(count, width)]
        rows = padded[:count]
        if narrowed is not None:
            stops = torch.searchsorted(kept, layer.stops).tolist()
            self._multiply(rows, sources, layer.groups, stops, *narrowed)
        elif isinstance(window, nn.MaxPool2d):
            self._take_maxima(rows, sources, positions, index)
        elif isinstance(window, nn.AvgPool2d):
            self._add_up(rows, sources, reads * sources.shape[1])
            rows /= window.divisor_override or sources.shape[1]
        else:
            self._add_up(rows, sources, reads)
        if activate is not None:
            base = self._base[: count * width].view(count, width)
            rows += torch.index_select(self._before[index], 0, positions, out=base)
            activate(padded)
            rows -= torch.index_select(self._after[index], 0, positions, out=base)
        self._lookups[index].zero_()
        self._lookups[index][1 + kept] = torch.arange(1, count + 1, dtype=torch.int32)
        return count

    def _narrow(self, index: int, read: int) -> tuple[Tensor, Tensor]:
        """What convolution ``index`` has to read: a step's table and the weights that go with it.

        Rows that turned out zero are looked up as row 0 from here on. Channels that are zero in
        all rows are left out where there are enough of them to pay for the copy.
        """
        table, weight = self._tables[read][: 1 + self._counts[read]], self._chain.weights[index]
        magnitude = torch.abs(table, out=self._spare[: table.numel()].view_as(table))
        lookup = self._lookups[read]
        lookup *= (magnitude.amax(1) != 0).index_select(0, lookup)
        alive = (magnitude.amax(0) != 0).nonzero().flatten()
        if len(alive) > WORTH_LEAVING_OUT * table.shape[1]:
            return table, weight
        narrow = self._spare[: len(table) * len(alive)].view(len(table), -1)
        torch.index_select(table, 1, alive, out=narrow)
        by_tap = weight.view(-1, table.shape[1], weight.shape[1])
        return narrow, by_tap.index_select(1, alive).flatten(0, 1)

    def _present_sources(self, layer: LayerRows, reads: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The rows in use that the pairs read, int32 [kept, k], and the pairs that read any."""
        sources = self._sources[: layer.sources.numel()].view_as(layer.sources)
        if len(reads) == 1:
            planned = layer.sources.view(-1)
            torch.index_select(self._lookups[reads[0]], 0, planned, out=sources.view(-1))
        else:
            for column, read in enumerate(reads):
                sources[:, column] = self._lookups[read].index_select(0, layer.sources[:, column])
        kept = (sources != 0).any(1).nonzero().flatten()
        return sources.index_select(0, kept), kept

    def _multiply(
        self,
        rows: Tensor,
        sources: Tensor,
        groups: Sequence[Group],
        stops: Sequence[int],
        read: Tensor,
        weight: Tensor,
    ) -> None:
        """A convolution's rows: what they read, times its weights, group by group."""
        channels, start = read.shape[1], 0
        step = max(1, BLOCK_NUMBERS // max(1, len(weight)))
        for (_, first_tap, last_tap), end in zip(groups, stops, strict=True):
            for low in range(start, end, step):
                high = min(low + step, end)
                chosen = sources[low:high, first_tap:last_tap].reshape(-1)
                gathered = self._gathered[: len(chosen) * channels].view(len(chosen), -1)
                torch.index_select(read, 0, chosen, out=gathered)
                taps = weight[first_tap * channels : last_tap * channels]
                torch.mm(gathered.view(high - low, -1), taps, out=rows[low:high])
            start = end

    def _add_up(self, rows: Tensor, sources: Tensor, reads: Sequence[int]) -> None:
        """Rows that are sums: the row that each column of sources names in its step's table."""
        for low, block in _blocks(rows):
            chosen = sources[low : low + len(block)].T.contiguous()
            torch.index_select(self._tables[reads[0]], 0, chosen[0], out=block)
            addend = self._spare[: block.numel()].view_as(block)
            for read, column in zip(reads[1:], chosen[1:], strict=True):
                block += torch.index_select(self._tables[read], 0, column, out=addend)

    def _take_maxima(self, rows: Tensor, sources: Tensor, positions: Tensor, index: int) -> None:
        """A max-pool's rows: the maximum of what each tap now gives, less the base's own."""
        windows = self._chain.windows[index]
        base, table = self._maxima[windows.reads[0]], self._tables[windows.reads[0]]
        for low, block in _blocks(rows):
            places = positions[low : low + len(block)]
            taps = windows.taps.index_select(0, places).T.contiguous()
            chosen = sources[low : low + len(block)].T.contiguous()
            now, change = (
                part[: block.numel()].view_as(block) for part in (self._base, self._spare)
            )
            block.fill_(-math.inf)
            for tap, column in zip(taps, chosen, strict=True):
                torch.index_select(base, 0, tap, out=now)
                now += torch.index_select(table, 0, column, out=change)
                torch.maximum(block, now, out=block)
            block -= torch.index_select(self._before[index], 0, places, out=now)


def _blocks(rows: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The rows in blocks that stay in a core's own cache, each with the index of its first."""
    step = max(1, BLOCK_NUMBERS // (4 * rows.shape[1]))
    for low in range(0, len(rows), step):
        yield low, rows[low : low + step]


def _most(*sizes: Sequence[int]) -> int:
    """The largest product of sizes that belong together."""
    return max((math.prod(together) for together in zip(*sizes, strict=True)), default=0)


def _padded(rows: int, width: int) -> int:
    """The least number of rows, not below ``rows``, that fills whole vectors."""
    step = _VECTOR // math.gcd(_VECTOR, width)
    return -(-rows // step) * step
