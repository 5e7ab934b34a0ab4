"""Layers from their declarations, with the size of every input worked out and checked.

Shapes here are those of one observation: (C, H, W) before a flatten, (N,) after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from agentlens.errors import ManifestError
from agentlens.layer_spec import LayerSpec

MAX_PARAMETERS = 1 << 28
"""A declared network with more parameters than this (1 GiB as float32) is refused unbuilt."""

MAX_FEATURES = 1 << 26
"""A layer that gives more numbers than this for one observation is refused unbuilt."""

Shape = tuple[int, ...]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "conv": ("weight", "bias"),
    "linear": ("weight", "bias"),
    "batch_norm": ("weight", "bias", "running_mean", "running_var"),
    "layer_norm": ("weight", "bias"),
    "gru": ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
    "lstm": ("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
}
"""Names of the tensors of each kind of layer that has any."""

ACTIVATIONS = ("relu", "elu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu")
"""Kinds of layers that change every number by itself."""

COMBINATIONS = ("add", "multiply")
"""Kinds of layers with two inputs."""


class Combination(nn.Module):
    """A layer that adds or multiplies what comes in and a second input."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Combine two batches of equal shape, or of planes where one has a single channel."""
        return x + other if self.kind == "add" else x * other


class PlaneSoftmax(nn.Module):
    """Weights over the positions of each channel, which sum to 1: [B, C, H, W] to the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Take the softmax over H and W together."""
        return torch.softmax(x.flatten(2), dim=2).view_as(x)


def build_layer(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    """Build one layer, still with PyTorch's default initialisation.

    Args:
        layer: what to build.
        shape: of what comes in.
        where: dotted path of the layer in its file, for messages.

    Returns:
        The module and the shape of what comes out.

    Raises:
        ManifestError: the layer does not fit what comes in, or its sizes are missing or absurd.
    """
    module, after = _BUILDERS[layer.kind](layer, shape, where)
    if math.prod(after) > MAX_FEATURES:
        raise ManifestError(
            f"{where}: gives {math.prod(after):,} numbers an observation, expected at most "
            f"{MAX_FEATURES:,}."
        )
    return module, after


def build_combination(
    layer: LayerSpec, shape: Shape, other: Shape, where: str
) -> tuple[nn.Module, Shape]:
    """Build an add or a multiply of two inputs; see :func:`build_layer`."""
    alike = shape == other or (
        len(shape) == len(other) == 3 and shape[1:] == other[1:] and 1 in (shape[0], other[0])
    )
    if not alike:
        raise ManifestError(
            f"{where}: {layer.kind} of {shape} and {other}; expected equal shapes, or planes of "
            "equal size of which one has a single channel."
        )
    return Combination(layer.kind), max(shape, other)


def memory_size(module: nn.Module) -> int:
    """How many numbers of recurrent state a layer carries: h of a GRU, h and c of an LSTM."""
    if isinstance(module, nn.LSTMCell):
        return 2 * module.hidden_size
    return module.hidden_size if isinstance(module, nn.GRUCell) else 0


def _conv(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    channels, _, _ = _image(shape, layer, where)
    out, kernel = _positive("out", layer.out, where), _positive("kernel", layer.kernel, where)
    stride = 1 if layer.stride is None else _positive("stride", layer.stride, where)
    rows, columns = _slide(shape, (kernel, stride, layer.padding), kernel, where)
    _check_count(out * channels * kernel * kernel, where)
    module = nn.Conv2d(channels, out, kernel, stride=stride, padding=layer.padding)
    return module, (out, rows, columns)


def _pool(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    channels, _, _ = _image(shape, layer, where)
    kernel = _positive("kernel", layer.kernel, where)
    stride = kernel if layer.stride is None else _positive("stride", layer.stride, where)
    rows, columns = _slide(shape, (kernel, stride, layer.padding), kernel // 2, where)
    kind = nn.MaxPool2d if layer.kind == "max_pool" else nn.AvgPool2d
    return kind(kernel, stride=stride, padding=layer.padding), (channels, rows, columns)


def _slide(shape: Shape, window: tuple[int, int, int], most: int, where: str) -> tuple[int, int]:
    """Rows and columns that a window (kernel, stride, padding) gives, padded by at most ``most``
    on every side."""
    (_, height, width), (kernel, stride, padding) = shape, window
    if not 0 <= padding <= most:
        raise ManifestError(
            f"{where}.padding: got {padding}, expected 0 to {most} for a kernel of {kernel}."
        )
    rows, columns = (n + 2 * padding - kernel for n in (height, width))
    if min(rows, columns) < 0:
        raise ManifestError(
            f"{where}: a kernel of {kernel} does not fit an input of {height}x{width} "
            f"with padding {padding}."
        )
    return rows // stride + 1, columns // stride + 1


def _batch_norm(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    if layer.epsilon <= 0:
        raise ManifestError(f"{where}.epsilon: got {layer.epsilon}, expected more than 0.")
    if len(shape) == 3:
        return nn.BatchNorm2d(shape[0], eps=layer.epsilon), shape
    return nn.BatchNorm1d(shape[0], eps=layer.epsilon), shape


def _layer_norm(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    if layer.epsilon <= 0:
        raise ManifestError(f"{where}.epsilon: got {layer.epsilon}, expected more than 0.")
    _check_count(math.prod(shape), where)
    return nn.LayerNorm(shape, eps=layer.epsilon), shape


def _linear(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    (size,) = _flat(shape, layer, where)
    out = _positive("out", layer.out, where)
    _check_count(size * out, where)
    return nn.Linear(size, out), (out,)


def _gru(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    (size,) = _flat(shape, layer, where)
    out = _positive("out", layer.out, where)
    _check_count(3 * out * (size + out), where)
    return nn.GRUCell(size, out), (out,)


def _lstm(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    (size,) = _flat(shape, layer, where)
    out = _positive("out", layer.out, where)
    _check_count(4 * out * (size + out), where)
    return nn.LSTMCell(size, out), (out,)


def _flatten(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    channels, height, width = _image(shape, layer, where)
    return nn.Flatten(), (channels * height * width,)


def _activation(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    if layer.kind == "leaky_relu":
        return nn.LeakyReLU(layer.slope), shape
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "elu": nn.ELU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
    }
    return kinds[layer.kind](), shape


def _softmax(layer: LayerSpec, shape: Shape, where: str) -> tuple[nn.Module, Shape]:
    return (nn.Softmax(dim=1) if len(shape) == 1 else PlaneSoftmax()), shape


def _image(shape: Shape, layer: LayerSpec, where: str) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ManifestError(
            f"{where}: {layer.kind} expects planes, got {shape[0]} flat features; "
            "put it before the flatten."
        )
    return (shape[0], shape[1], shape[2])


def _flat(shape: Shape, layer: LayerSpec, where: str) -> tuple[int]:
    if len(shape) != 1:
        raise ManifestError(
            f"{where}: {layer.kind} expects flat features, got planes {shape}; add a flatten layer."
        )
    return (shape[0],)


def _positive(name: str, value: int | None, where: str) -> int:
    if value is None or value < 1:
        got = "nothing" if value is None else str(value)
        raise ManifestError(f"{where}.{name}: got {got}, expected 1 or more.")
    return value


def _check_count(parameters: int, where: str) -> None:
    if parameters > MAX_PARAMETERS:
        raise ManifestError(
            f"{where}: {parameters:,} parameters, expected at most {MAX_PARAMETERS:,}."
        )


_BUILDERS: dict[str, Callable[[LayerSpec, Shape, str], tuple[nn.Module, Shape]]] = {
    "conv": _conv,
    "batch_norm": _batch_norm,
    "linear": _linear,
    "gru": _gru,
    "lstm": _lstm,
    "layer_norm": _layer_norm,
    "flatten": _flatten,
    "max_pool": _pool,
    "avg_pool": _pool,
    "softmax": _softmax,
    **dict.fromkeys(ACTIVATIONS, _activation),
}
