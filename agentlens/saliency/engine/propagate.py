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
from agentlens.saliency.engine.plan import BLOCK_ROWS, ChunkPlan, LayerRows, Windows, read_windows

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
        self._tables = [
            torch.zeros(1 + _padded(count, width), width, dtype=kind)
            for count, width in zip(rows, channels, strict=True)
        ]
        self._before, self._after = (
            [
                torch.zeros(_padded(count, width), width, dtype=kind)
                for count, width in zip(positions, channels, strict=True)
            ]
            for _ in range(2)
        )
        blocks = [min(BLOCK_ROWS, count) for count in rows[1:]]
        widths = [len(weight) for weight in chain.weights]
        gathered = max((b * w for b, w in zip(blocks, widths, strict=True)), default=0)
        base = max((r * c for r, c in zip(rows[1:], channels[1:], strict=True)), default=0)
        self._gathered = torch.empty(gathered, dtype=kind)
        self._base = torch.empty(base, dtype=kind)
        self._change = torch.empty(*first.taps.shape, channels[0], dtype=kind)

    @property
    def nbytes(self) -> int:
        """Memory of the workspace, in bytes."""
        buffers = [self._gathered, self._base, self._change]
        tensors = [*self._tables, *self._before, *self._after, *buffers]
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
        taps = padded[:, self._chain.windows[0].taps]
        weight = self._chain.first_weight[:, list(planes)]
        if len(planes) == 1:
            torch.mul(taps[0, :, :, None], weight[None, :, 0], out=self._change)
        else:
            self._change.copy_(torch.bmm(taps.permute(2, 1, 0), weight).permute(1, 0, 2))

    def run(self, plan: ChunkPlan, features: Tensor) -> None:
        """Write the differences of the trunk's output under a chunk of masks.

        Args:
            plan: the chunk.
            features: out, [m * P, C], positions outside a mask's reach exactly 0.
        """
        self._first_layer(plan)
        for index, layer in enumerate(plan.later, start=1):
            self._later_layer(index, layer)
        torch.index_select(self._tables[-1], 0, plan.final, out=features)

    def _first_layer(self, plan: ChunkPlan) -> None:
        width = self._chain.channels[0]
        padded = self._tables[0][1 : 1 + _padded(plan.rows[0], width)]
        pairs = []
        for position, row, mask_taps in plan.first:
            count, slots, _ = mask_taps.shape
            reached = slice(position, position + count)
            rows = self._tables[0][row : row + count * slots].view(count, slots, width)
            torch.bmm(mask_taps, self._change[reached], out=rows)
            rows += self._before[0][reached, None]
            pairs.append((rows, self._after[0][reached, None]))
        self._chain.activate[0](padded)
        for rows, after in pairs:
            rows -= after

    def _later_layer(self, index: int, layer: LayerRows) -> None:
        weight, count = self._chain.weights[index - 1], len(layer.positions)
        read, width = self._tables[index - 1], self._chain.channels[index]
        padded = self._tables[index][1 : 1 + _padded(count, width)]
        rows = padded[:count]
        for start, stop, first_tap, last_tap, sources in layer.blocks:
            gathered = self._gathered[: len(sources) * read.shape[1]].view(len(sources), -1)
            torch.index_select(read, 0, sources, out=gathered)
            taps = weight[first_tap * read.shape[1] : last_tap * read.shape[1]]
            torch.mm(gathered.view(stop - start, -1), taps, out=rows[start:stop])
        base = self._base[: count * width].view(count, width)
        rows += torch.index_select(self._before[index], 0, layer.positions, out=base)
        self._chain.activate[index](padded)
        rows -= torch.index_select(self._after[index], 0, layer.positions, out=base)


def _padded(rows: int, width: int) -> int:
    """The least number of rows, not below ``rows``, that fills whole vectors."""
    step = _VECTOR // math.gcd(_VECTOR, width)
    return -(-rows // step) * step
