"""Frozen descriptions of networks: layers, chains of them, and what stands in front.

Shape letters: see ``agentlens.spec``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer of a chain. Sizes of inputs follow from what comes before.

    Layers with tensors: conv, linear, batch_norm, layer_norm (over all of an observation's
    features), gru, lstm. Without: flatten, max_pool, avg_pool, relu, elu, leaky_relu, tanh,
    sigmoid, gelu, silu, softmax (planes: over the positions of each channel; flat features: over
    them all; as the last layer of a logits chain it leaves the policy as it is). ``add`` and
    ``multiply`` take a second input: what went into the layer ``back`` places before, or the
    output of an earlier ``chain``; one channel stands for all channels of the other.

    ``out``: channels or units. ``kernel``, ``stride``, ``padding``: of conv and pools; the stride
    of a conv is 1 if not given, of a pool its kernel, as in PyTorch.
    ``slope``: of leaky_relu. ``epsilon``: of batch_norm and layer_norm.
    """

    kind: Literal[
        "conv",
        "linear",
        "batch_norm",
        "layer_norm",
        "gru",
        "lstm",
        "flatten",
        "max_pool",
        "avg_pool",
        "relu",
        "elu",
        "leaky_relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "softmax",
        "add",
        "multiply",
    ]
    out: int | None = None
    kernel: int | None = None
    stride: int | None = None
    padding: int = 0
    slope: float = 0.01
    epsilon: float = 1e-5
    back: int | None = None
    chain: str | None = None


@dataclass(frozen=True, kw_only=True)
class ChainSpec:
    """A named run of layers that reads the observation or another chain.

    ``output``: what its last layer gives, if anything: "logits", "q_values", "value", or the
    two halves of a dueling head, "advantage" and "state_value" (Q = V + A - mean A).
    A "quantiles" chain gives ``quantiles`` x A returns, averaged to Q-values (QR-DQN). An "atoms"
    chain gives A x ``atoms`` logits, whose softmax weighs ``atoms`` evenly spaced returns from the
    lowest to the highest of ``support`` (C51).
    """

    name: str
    reads: str = "observation"
    layers: tuple[LayerSpec, ...] = ()
    output: (
        Literal["logits", "q_values", "value", "advantage", "state_value", "quantiles", "atoms"]
        | None
    ) = None
    quantiles: int | None = None
    atoms: int | None = None
    support: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network as data: chains of layers, and the adapter in front of them.

    ``plane_order``: the order the weights were trained with; observations are always handed over
    oldest first and turned round inside. ``reshape``: rows and columns that the weights expect
    when an (H, W) plane was reshaped (not resized) in training.
    """

    chains: tuple[ChainSpec, ...]
    plane_order: Literal["oldest_first", "newest_first"] = "oldest_first"
    reshape: tuple[int, int] | None = None
