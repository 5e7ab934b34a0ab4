"""Convolutions rewritten so that they need nothing in front of or behind them."""

from __future__ import annotations

import torch
from torch import nn


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
