"""The front of a declared network: its convolutions, pools and sums, and the linear map behind.

A layer that adds or multiplies takes a second input, so the network can be cut in two only where
no such input reaches over the cut.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import nn

from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.base import OBSERVATION_READ
from agentlens.policies.chains import OBSERVATION
from agentlens.policies.layers import ACTIVATIONS


def reading_chain(network: NetworkSpec) -> ChainSpec | None:
    """The one chain that reads the observation; ``None`` where several do, or pixels are moved."""
    reading = [c for c in network.chains if c.reads == OBSERVATION]
    again = any(x.chain == OBSERVATION for c in network.chains for x in c.layers)
    return reading[0] if len(reading) == 1 and not again and network.reshape is None else None


class StepLayers(NamedTuple):
    """The layers of a chain that make a step of its trunk, and the earlier steps that it reads."""

    layers: range
    reads: tuple[int, ...]


def trunk_layers(chain: ChainSpec) -> list[StepLayers]:
    """The steps of a chain's trunk: convolutions (with the batch norm that follows), pools,
    residual sums, each with the activation that follows, and activations by themselves.

    A batch norm or an activation is taken into the step before it only where no later layer
    takes what lies between.
    """
    steps = _all_steps(chain.layers)
    while steps and not _may_end(chain.layers, steps[-1].layers):
        steps.pop()
    return steps


def trunk_end(chain: ChainSpec) -> int:
    """The number of layers in ``trunk_layers``."""
    steps = trunk_layers(chain)
    return steps[-1].layers.stop if steps else 0


def trunk_obstacle(network: NetworkSpec) -> str:
    """Why a network has no trunk."""
    chain = reading_chain(network)
    if chain is None and network.reshape is not None:
        return "its planes are reshaped on the way into the network"
    if chain is None:
        return "several chains read the observation"
    steps = _all_steps(chain.layers)
    place = steps[-1].layers.stop if steps else 0
    if place == len(chain.layers):
        return f"chain {chain.name!r} has no layers that a mask could be followed through"
    return (
        f"layer {place} of chain {chain.name!r} is a {chain.layers[place].kind}, through which a "
        "mask cannot be followed"
    )


def _all_steps(layers: Sequence[LayerSpec]) -> list[StepLayers]:
    """Steps up to the first layer that cannot be one."""
    taken = {index - layer.back for index, layer in enumerate(layers) if layer.back}
    makers, channels = {0: OBSERVATION_READ}, {OBSERVATION_READ: 0}
    steps: list[StepLayers] = []
    start = 0
    while start < len(layers):
        reads = _reads(layers[start], start, makers)
        if not reads or len({channels[index] for index in reads}) > 1:
            break
        stop = start + 1
        if layers[start].kind == "conv" and _next_is(layers, stop, ("batch_norm",), taken):
            stop += 1
        if layers[start].kind not in ACTIVATIONS and _next_is(layers, stop, ACTIVATIONS, taken):
            stop += 1
        channels[len(steps)] = layers[start].out or channels[reads[0]]
        makers[stop] = len(steps)
        steps.append(StepLayers(range(start, stop), reads))
        start = stop
    return steps


def _reads(layer: LayerSpec, index: int, makers: Mapping[int, int]) -> tuple[int, ...]:
    """The steps that a layer reads; none where it cannot begin a step. ``makers``: by layer, the
    step that makes what goes into it."""
    before = makers[index]
    if layer.kind == "conv":
        return (before,)
    if before == OBSERVATION_READ:
        return ()
    if layer.kind in ("max_pool", "avg_pool", *ACTIVATIONS):
        return (before,)
    other = makers.get(index - layer.back) if layer.kind == "add" and layer.back else None
    return () if other is None or other == OBSERVATION_READ else (before, other)


def _next_is(
    layers: Sequence[LayerSpec], index: int, kinds: Sequence[str], taken: Collection[int]
) -> bool:
    return index < len(layers) and layers[index].kind in kinds and index not in taken


def _may_end(layers: Sequence[LayerSpec], step: range) -> bool:
    """Whether a trunk may end with a step: nothing reaches over the cut, and no convolution is
    cut off from the norm or the like that belongs to it."""
    whole = step.stop == len(layers) or layers[step.stop].kind == "flatten"
    whole = whole or layers[step[-1]].kind in ACTIVATIONS
    return whole and _can_be_cut(layers, step.stop)


def first_linear_layers(network: NetworkSpec) -> dict[str, int]:
    """By chain, the layer whose input is the flattened trunk; empty where another kind reads it."""
    torso = reading_chain(network)
    if torso is None or not trunk_layers(torso):
        return {}
    start = trunk_end(torso)
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
