"""Policy: the frozen network of an agent, with one calling convention for all of them."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument

Preference = Literal["logits", "q_values"]
"""What a policy's preferences are: logits of a softmax, or expected returns by action."""


class PolicyOutput(NamedTuple):
    """What a policy says about B observations.

    ``preferences``: float32 [B, A], as ``kind`` says. ``value``: float32 [B] where there is a
    critic. ``state``: float32 [B, S], the recurrent state *after* this step. ``quantiles``:
    float32 [B, A, N], N equally likely returns of each action where the policy knows their
    distribution; its mean is the Q-value.
    """

    preferences: Tensor
    kind: Preference
    value: Tensor | None = None
    state: Tensor | None = None
    quantiles: Tensor | None = None


class TrunkStep(NamedTuple):
    """A step of a trunk: a window over planes or a sum, then an activation.

    ``window``: a convolution or a pool of the one step that is read; ``None``: the sum of the
    steps that are read (of one: itself). ``activation``: pointwise, monotone or not; ``None``
    where there is none. ``reads``: indices of earlier steps; ``OBSERVATION_READ`` for the
    observation, which the first step alone reads.
    """

    window: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | None
    activation: nn.Module | None
    reads: tuple[int, ...]


OBSERVATION_READ = -1
"""What the first step of a trunk reads."""


class Trunk(NamedTuple):
    """The front of a policy, as the incremental engine wants it: first a convolution, then
    convolutions, pools, residual sums and activations.

    The output of the last step is the trunk's, [B, C, h, w]; ``Policy.head`` takes it from there.
    """

    steps: tuple[TrunkStep, ...]

    @property
    def convolutions(self) -> tuple[int, ...]:
        """The steps that are convolutions."""
        return tuple(i for i, step in enumerate(self.steps) if isinstance(step.window, nn.Conv2d))

    def evaluate(self, observation: Tensor) -> Tensor:
        """The trunk's output for observations [B, K, H, W]."""
        outputs: list[Tensor] = []
        self.extend(outputs, observation)
        return outputs[-1]

    def extend(self, outputs: list[Tensor], observation: Tensor, stop: int | None = None) -> None:
        """Append the outputs of the steps that ``outputs`` does not hold yet, up to ``stop``."""
        for window, activation, reads in self.steps[len(outputs) : stop]:
            hidden = observation if reads == (OBSERVATION_READ,) else outputs[reads[0]]
            for other in reads[1:]:
                hidden = hidden + outputs[other]
            hidden = hidden if window is None else window(hidden)
            outputs.append(hidden if activation is None else activation(hidden))


def plain_trunk(
    convolutions: Sequence[nn.Conv2d], activations: Sequence[nn.Module | None]
) -> Trunk:
    """A trunk of convolutions, each with the activation that follows it."""
    pairs = zip(convolutions, activations, strict=True)
    return Trunk(tuple(TrunkStep(c, a, (index - 1,)) for index, (c, a) in enumerate(pairs)))


def window_sides(
    window: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d,
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel, stride and padding of a window, each as (rows, columns)."""

    def pair(sides: object) -> tuple[int, int]:
        rows, columns = sides if isinstance(sides, tuple) else (sides, sides)
        return int(rows), int(columns)

    return pair(window.kernel_size), pair(window.stride), pair(window.padding)


class Projection(NamedTuple):
    """The linear map at the front of a policy's head, of the trunk's output flattened as C, h, w.

    ``weight``: [N, C * h * w]. ``bias``: [N]. The input half of a GRU or an LSTM counts.
    """

    weight: Tensor
    bias: Tensor


class Policy(nn.Module, abc.ABC):
    """A frozen policy in eval mode: no gradients into its weights, no dropout, fixed statistics.

    Observations are float32 [B, K, H, W], scaled as the agent's protocol says, planes oldest
    first, image geometry. Networks trained on another order turn it round inside, so recordings
    and masks never see that.

    Attributes:
        observation_shape: (K, H, W).
        channels: planes of one frame of the stack: 1, or 3 in colour.
        action_meanings: ALE's name of each output.
        state_size: S, or 0 for a policy without memory.
        kind: whether outputs are "logits" or "q_values".
        has_value: whether ``value`` is given (Q-networks: no, max Q is derived where wanted).
    """

    observation_shape: tuple[int, int, int]
    channels: int = 1
    action_meanings: tuple[str, ...]
    state_size: int
    kind: Preference
    has_value: bool

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; a layer must not hide behind a method of the same name.

        Raises:
            InvalidArgument: a layer or tensor named like a method: ``self.head(x)`` would call the
                method.
        """
        if isinstance(value, nn.Module | Tensor) and callable(getattr(type(self), name, None)):
            raise InvalidArgument(
                f"{type(self).__name__} has a layer or tensor named {name!r}, which is a method "
                "of every policy: give it another name."
            )
        super().__setattr__(name, value)

    @abc.abstractmethod
    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch.

        Args:
            observation: float32 (or float64 after ``.double()``) [B, K, H, W].
            state: [B, S], the recurrent state *before* this step; ``None`` without memory.

        Raises:
            ShapeError: the observation or the state has another shape.
        """

    def initial_state(self, batch: int) -> Tensor | None:
        """The state at an episode's start: zeros [B, S] on the policy's device; ``None`` without
        memory."""
        if self.state_size == 0:
            return None
        parameter = next(self.parameters())
        return torch.zeros(batch, self.state_size, device=parameter.device, dtype=parameter.dtype)

    def trunk(self) -> Trunk | None:
        """The convolutions at the front, reading planes oldest first; ``None`` where there are
        none.

        ``head(trunk output, state)`` must equal ``forward(observation, state)``.
        """
        return None

    def trunk_obstacle(self) -> str:
        """Why there is no ``trunk``, in words that follow "because"."""
        return "the policy does not begin with convolutions that read the observation"

    def head(self, features: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate what follows the trunk.

        Args:
            features: [B, C, h, w], the output of ``trunk()``.
            state: as in ``forward``.
        """
        raise NotImplementedError("this policy has no trunk; check trunk() first")

    def projection(self) -> Projection | None:
        """The linear map that the head begins with; ``None`` where it begins otherwise.

        ``finish(features.flatten(1) @ weight.T + bias, state)`` must equal
        ``head(features, state)``.
        """
        return None

    def finish(self, projected: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate what follows ``projection()``.

        Args:
            projected: [B, N].
            state: [B, S], or [1, S] for one recurrent state before all B steps, whose share is
                then worked out once; ``None`` without memory.
        """
        raise NotImplementedError("this policy has no projection; check projection() first")
