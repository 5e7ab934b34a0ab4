"""Policy: the frozen network of an agent, with one calling convention for all of them."""

from __future__ import annotations

import abc
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

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


class ConvolutionTrunk(NamedTuple):
    """A plain Conv2d chain at the front of a policy, as the incremental engine wants it.

    ``convolutions[i]`` is followed by the pointwise, monotone or not, ``activations[i]``. The
    trunk's output is [B, C, h, w]; ``Policy.head`` takes it from there.
    """

    convolutions: tuple[nn.Conv2d, ...]
    activations: tuple[nn.Module, ...]


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

    def trunk(self) -> ConvolutionTrunk | None:
        """The Conv2d chain at the front, reading planes oldest first; ``None`` where there is no
        such chain.

        ``head(trunk output, state)`` must equal ``forward(observation, state)``.
        """
        return None

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
