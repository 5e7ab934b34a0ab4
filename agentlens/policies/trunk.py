"""The front of a declared network: its leading convolutions and the linear map behind them.

A layer that adds or multiplies takes a second input, so the network can be cut in two only where
no such input reaches over the cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.chains import OBSERVATION
from agentlens.policies.layers import ACTIVATIONS


def reading_chain(network: NetworkSpec) -> ChainSpec | None:
    """The one chain that reads the observation; ``None`` where several do, or pixels are moved."""
    reading = [c for c in network.chains if c.reads == OBSERVATION]
    again = any(x.chain == OBSERVATION for c in network.chains for x in c.layers)
    return reading[0] if len(reading) == 1 and not again and network.reshape is None else None


def convolution_groups(chain: ChainSpec) -> list[range]:
    """Layer indices of each leading convolution with its batch norm, if any, and its activation."""
    kinds = [layer.kind for layer in chain.layers]
    groups, start = [], 0
    while start < len(kinds) and kinds[start] == "conv":
        stop = start + 1
        if kinds[stop : stop + 1] == ["batch_norm"]:
            stop += 1
        if stop == len(kinds) or kinds[stop] not in ACTIVATIONS:
            break
        groups.append(range(start, stop + 1))
        start = stop + 1
    while groups and not _can_be_cut(chain.layers, groups[-1].stop):
        groups.pop()
    return groups


def convolutions_end(chain: ChainSpec) -> int:
    """The number of layers in ``convolution_groups``."""
    groups = convolution_groups(chain)
    return groups[-1].stop if groups else 0


def first_linear_layers(network: NetworkSpec) -> dict[str, int]:
    """By chain, the layer whose input is the flattened trunk; empty where another kind reads it."""
    torso = reading_chain(network)
    if torso is None or not convolution_groups(torso):
        return {}
    start = convolutions_end(torso)
    if [layer.kind for layer in torso.layers[start:]] not in ([], ["flatten"]):
        return _begin_linearly([torso], start)
    readers = [c for c in network.chains if c.reads == torso.name]
    again = any(x.chain == torso.name for c in network.chains for x in c.layers)
    return _begin_linearly(readers, 0) if torso.output is None and not again else {}


def _begin_linearly(chains: Sequence[ChainSpec], start: int) -> dict[str, int]:
    """The linear or recurrent layer that each chain begins with from ``start`` on; all or none."""
    layers = {}
    for chain in chains:
        kinds = [layer.kind for layer in chain.layers[start:]]
        place = start + (kinds[:1] == ["flatten"])
        first = kinds[place - start : place - start + 1]
        if first not in (["linear"], ["gru"], ["lstm"]) or not _can_be_cut(chain.layers, place + 1):
            return {}
        layers[chain.name] = place
    return layers


def _can_be_cut(layers: Sequence[LayerSpec], place: int) -> bool:
    """Whether no layer from ``place`` on takes an input from before it."""
    return all(
        layer.back is None or index - layer.back >= place
        for index, layer in enumerate(layers)
        if index >= place
    )


def fold_batch_norm(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution equal to a convolution followed by a batch norm in eval mode.

    With running mean m, variance v, gain g and shift s: weights g W / sqrt(v + epsilon), biases
    g (b - m) / sqrt(v + epsilon) + s; worked out in float64, equal to rounding of the result.
    """
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert convolution.bias is not None
    factor = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = convolution.weight.double() * factor[:, None, None, None]
    bias = (convolution.bias.double() - norm.running_mean.double()) * factor + norm.bias.double()
    return _like(convolution, weight, bias)


def first_convolution_reversed(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution that gives the same for planes in the opposite order."""
    assert convolution.bias is not None
    return _like(convolution, convolution.weight.flip(1), convolution.bias)


def _like(convolution: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor) -> nn.Conv2d:
    """A frozen convolution of the same kind with other weights; the original is left alone."""
    new = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        stride=convolution.stride,  # type: ignore[arg-type]
        padding=convolution.padding,  # type: ignore[arg-type]
        device=torch.device("meta"),
    )
    kind = convolution.weight.dtype
    new.weight = nn.Parameter(weight.to(kind).contiguous(), requires_grad=False)
    new.bias = nn.Parameter(bias.to(kind).clone(), requires_grad=False)
    return new.eval()
