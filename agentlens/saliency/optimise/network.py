"""A small network that says the mask of any frame at once: learned once, then free.

Shape letters: F frames, P plane selections, K planes, H W observation, gy gx mask cells,
S recurrent state, D hidden channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, interpolate

from agentlens.errors import InvalidArgument, WeightMismatch

_GAIN = 3.0
"""What stands out from the background is enlarged by this."""

LIMIT = 6.0
"""Logits stay within this: a mask that is 1 everywhere must still feel what it hides."""


@dataclass(frozen=True, kw_only=True)
class MaskNetworkSpec:
    """The shape of a mask network: all that is needed to build it.

    ``observation``: (K, H, W). ``state``: S, 0 without memory. ``selections``: P. ``cells``:
    (gy, gx). ``channels``: D. ``colours``: planes of one frame of the stack, 1 or 3.
    """

    observation: tuple[int, int, int]
    state: int
    selections: int
    cells: tuple[int, int]
    channels: int = 32
    colours: int = 1

    def __post_init__(self) -> None:
        sizes = (*self.observation, self.selections, *self.cells, self.channels)
        if min(sizes) < 1 or max(sizes) > 4096 or not 0 <= self.state <= 65536:
            raise InvalidArgument(
                f"mask network of sizes {sizes} and state {self.state}: expected 1 to 4096 each, "
                "a state of 0 to 65536."
            )
        if self.colours < 1 or self.observation[0] % self.colours:
            raise InvalidArgument(
                f"mask network of {self.observation[0]} planes in frames of {self.colours}: "
                "expected a number that divides them."
            )

    @property
    def background(self) -> tuple[int, ...]:
        """The shape of one frame: (H, W), in colour (C, H, W)."""
        size = self.observation[1:]
        return size if self.colours == 1 else (self.colours, *size)


class MaskNetwork(nn.Module):
    """Three convolutions, with the mean over the frame and the recurrent state mixed in.

    ``background``: float32 [H, W], in colour [C, H, W], taken off every frame first: without that a
    network of this size does not find small objects beside bright borders. A convolution of the
    difference is the difference of two, so it is taken off behind the first convolution, once for
    all frames.

    Notes:
        About 8 million multiplications for a stack of four frames of 84 x 84.
    """

    background: Tensor
    _ground: Tensor | None

    def __init__(self, spec: MaskNetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        channels = spec.channels
        self.register_buffer("background", torch.zeros(spec.background))
        self.register_buffer("_ground", None, persistent=False)
        self.inwards = nn.Conv2d(spec.observation[0], channels, 8, stride=4, padding=2)
        self.around = nn.Conv2d(channels, channels, 3, padding=1)
        self.whole = nn.Linear(channels, channels)
        self.memory = nn.Linear(spec.state, channels) if spec.state else None
        self.outwards = nn.Conv2d(channels, spec.selections, 3, padding=1)

    def forward(self, observation: Tensor, state: Tensor | None) -> Tensor:
        """Logits of the masks, [F, P, gy, gx]; a sigmoid of them is 1 where hidden.

        Args:
            observation: float32 [F, K, H, W], scaled as the policy wants it.
            state: [F, S], or None without memory.
        """
        ground = self._seen_of_background() if self._ground is None else self._ground
        weight, bias = self.inwards.weight * _GAIN, self.inwards.bias
        features = conv2d(observation, weight, bias, stride=4, padding=2).sub_(ground).relu_()
        mixed = self.whole(features.mean((2, 3)))
        if self.memory is not None:
            assert state is not None  # a policy with memory is asked with its state
            mixed = mixed + self.memory(state)
        features = self.around(features).add_(mixed[:, :, None, None]).relu_()
        logits = self._outwards(features)
        if logits.shape[2:] != self.spec.cells:
            logits = interpolate(logits, self.spec.cells, mode="bilinear", align_corners=False)
        return LIMIT * torch.tanh(logits / LIMIT)

    def settle(self) -> None:
        """Compute once what depends on no frame, for a network whose weights stay as they are."""
        self._ground = self._seen_of_background()

    def _seen_of_background(self) -> Tensor:
        """What the first convolution makes of the background in every frame: [1, D, h, w]."""
        colours, size = self.spec.colours, self.spec.observation[1:]
        frame = self.background.reshape(1, colours, *size)
        planes = frame.repeat(1, self.spec.observation[0] // colours, 1, 1)
        return conv2d(planes, self.inwards.weight * _GAIN, stride=4, padding=2)

    def _outwards(self, features: Tensor) -> Tensor:
        """The last convolution, [F, P, h, w] from [F, D, h, w].

        With so few channels coming out it is four times as fast to weigh every place's features
        first and to lay what each place gives to its nine neighbours over one another.
        """
        weight = self.outwards.weight.flip(2, 3).permute(0, 2, 3, 1).flatten(0, 2)
        height, width = features.shape[2:]
        given = weight @ features.flatten(2)
        assert self.outwards.bias is not None  # built with one
        return fold(given, (height, width), 3, padding=1) + self.outwards.bias[:, None, None]

    def tensors(self) -> dict[str, np.ndarray]:
        """The weights by name, float32, on the CPU."""
        return {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}


def build_network(spec: MaskNetworkSpec, tensors: Mapping[str, np.ndarray]) -> MaskNetwork:
    """A network with these weights, in eval mode and without gradients.

    Raises:
        WeightMismatch: a tensor is missing, too many, of another shape, or not finite.
    """
    network = MaskNetwork(spec)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: value.shape for name, value in tensors.items()}
    if wanted != given:
        raise WeightMismatch(f"the mask network's tensors are {given}, expected {wanted}.")
    for name, value in tensors.items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise WeightMismatch(f"tensor {name!r} of the mask network: expected finite float32.")
    network.load_state_dict({name: torch.tensor(value) for name, value in tensors.items()})
    network.eval().requires_grad_(False).settle()
    return network
