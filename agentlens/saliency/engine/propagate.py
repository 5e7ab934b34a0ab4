"""Differences sent through a convolution chain: the arithmetic of the incremental engine.

A mask changes some outputs of a convolution; what goes from layer to layer is the difference
``activation(base + change) - activation(base)`` of those rows. A row that does not change is an
exact zero, whatever product it took part in, and small effects keep their own precision.

Shape letters: m masks of a chunk, P output positions of a layer, k taps of its kernel, R
recomputed rows, C channels, K planes, U and n as in ``plan.ChunkPlan``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from agentlens.policies.base import ConvolutionTrunk
from agentlens.saliency.engine.plan import (
    WORTH_LEAVING_OUT,
    ChunkPlan,
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
        windows: what each layer's outputs read.
        weights: [k * C, C'] of each layer but the first, taps before channels.
        first_weight: [k, K, C'] of the first layer.
        activate: in-place activation of each layer.
    """

    def __init__(self, trunk: ConvolutionTrunk, observation: tuple[int, int]) -> None:
        self.convolutions = trunk.convolutions
        self.windows: tuple[Windows, ...] = read_windows(trunk.convolutions, observation)
        kernels = [c.weight.detach().flatten(2).permute(2, 1, 0) for c in trunk.convolutions]
        self.first_weight = kernels[0].contiguous()
        self.weights = [kernel.reshape(-1, kernel.shape[2]).contiguous() for kernel in kernels[1:]]
        self.activate = [in_place(module) for module in trunk.activations]
        self.channels = [c.out_channels for c in trunk.convolutions]

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
            rows: the most rows that a chunk has in each layer.
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
        self._before, self._after = matrices(positions), matrices(positions)
        self._lookups = [torch.zeros(1 + count, dtype=torch.int32) for count in rows]
        taps = [layer.taps.shape[1] for layer in chain.windows]
        widths = [len(weight) for weight in chain.weights]
        gathered = [
            min(c * w, max(w, BLOCK_NUMBERS)) for c, w in zip(rows[1:], widths, strict=True)
        ]
        largest = max(rows[0] * taps[0], *(t.numel() for t in self._tables))
        self._gathered = torch.empty(max(gathered, default=0), dtype=kind)
        self._base = torch.empty(_most(rows[1:], channels[1:]), dtype=kind)
        self._sources = torch.empty(_most(rows[1:], taps[1:]), dtype=torch.int32)
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
        return sum(t.numel() * t.element_size() for t in tensors)

    def set_observation(self, observation: Tensor) -> Tensor:
        """Evaluate the unperturbed observation [K, H, W]; returns the trunk's output [P, C]."""
        hidden = observation[None]
        layers = zip(self._chain.convolutions, self._before, self._after, strict=True)
        for index, (convolution, before, after) in enumerate(layers):
            output = convolution(hidden)
            positions = output.shape[2] * output.shape[3]
            before[:positions] = output[0].flatten(1).T
            after.copy_(before)
            self._chain.activate[index](after)
            hidden = self._chain.activate[index](output)
        return after[:positions]

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
        count = self._first_layer(plan)
        for index, layer in enumerate(plan.later, start=1):
            read, weight = self._narrow(index - 1, count)
            count = self._later_layer(index, layer, read, weight)
        rows = torch.index_select(self._lookups[-1], 0, plan.final)
        torch.index_select(self._tables[-1], 0, rows, out=features)

    def _first_layer(self, plan: ChunkPlan) -> int:
        """Fill the first table and its lookup; returns the rows in use."""
        width, lookup, row = self._chain.channels[0], self._lookups[0], 1
        before, after = self._first
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
            rows += before[low:high]
            pairs.append((rows, after[low:high]))
            row = stop
        self._chain.activate[0](self._tables[0][1 : 1 + _padded(row - 1, width)])
        for rows, subtracted in pairs:
            rows -= subtracted
        return row - 1

    def _narrow(self, index: int, count: int) -> tuple[Tensor, Tensor]:
        """What the layer after ``index`` has to read: its table and the weights that go with it.

        Rows that turned out zero are looked up as row 0 from here on. Channels that are zero in
        all rows are left out where there are enough of them to pay for the copy.
        """
        table, weight = self._tables[index][: 1 + count], self._chain.weights[index]
        magnitude = torch.abs(table, out=self._spare[: table.numel()].view_as(table))
        lookup = self._lookups[index]
        lookup *= (magnitude.amax(1) != 0).index_select(0, lookup)
        alive = (magnitude.amax(0) != 0).nonzero().flatten()
        if len(alive) > WORTH_LEAVING_OUT * table.shape[1]:
            return table, weight
        narrow = self._spare[: len(table) * len(alive)].view(len(table), -1)
        torch.index_select(table, 1, alive, out=narrow)
        by_tap = weight.view(-1, table.shape[1], weight.shape[1])
        return narrow, by_tap.index_select(1, alive).flatten(0, 1)

    def _later_layer(self, index: int, layer: LayerRows, read: Tensor, weight: Tensor) -> int:
        """Fill the table and the lookup of a layer that reads ``read``; returns the rows in use."""
        sources = self._sources[: layer.sources.numel()].view_as(layer.sources)
        torch.index_select(
            self._lookups[index - 1], 0, layer.sources.view(-1), out=sources.view(-1)
        )
        kept = (sources != 0).any(1).nonzero().flatten()
        sources, count = sources.index_select(0, kept), len(kept)
        width, channels = self._chain.channels[index], read.shape[1]
        padded = self._tables[index][1 : 1 + _padded(count, width)]
        rows, start = padded[:count], 0
        step = max(1, BLOCK_NUMBERS // max(1, len(weight)))
        stops = torch.searchsorted(kept, layer.stops).tolist()
        for (_, first_tap, last_tap), end in zip(layer.groups, stops, strict=True):
            for low in range(start, end, step):
                high = min(low + step, end)
                chosen = sources[low:high, first_tap:last_tap].reshape(-1)
                gathered = self._gathered[: len(chosen) * channels].view(len(chosen), -1)
                torch.index_select(read, 0, chosen, out=gathered)
                taps = weight[first_tap * channels : last_tap * channels]
                torch.mm(gathered.view(high - low, -1), taps, out=rows[low:high])
            start = end
        positions = layer.positions.index_select(0, kept)
        base = self._base[: count * width].view(count, width)
        rows += torch.index_select(self._before[index], 0, positions, out=base)
        self._chain.activate[index](padded)
        rows -= torch.index_select(self._after[index], 0, positions, out=base)
        self._lookups[index].zero_()
        self._lookups[index][1 + kept] = torch.arange(1, count + 1, dtype=torch.int32)
        return count


def _most(*sizes: Sequence[int]) -> int:
    """The largest product of sizes that belong together."""
    return max((math.prod(together) for together in zip(*sizes, strict=True)), default=0)


def _padded(rows: int, width: int) -> int:
    """The least number of rows, not below ``rows``, that fills whole vectors."""
    step = _VECTOR // math.gcd(_VECTOR, width)
    return -(-rows // step) * step
