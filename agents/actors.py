"""How networks of stable-baselines3 answer while playing and while learning, memory or none.

Letters: T steps, N environments, K stacked planes, H W plane, A actions, S memory units. A memory
is two tensors float32[1, N, S], the LSTM's hidden and cell state; networks without one have an
empty tuple.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy

Memory = tuple[torch.Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a network says of some observations.

    Attributes:
        logits: float32[N, A].
        values: float32[N].
        memory: After these observations.
    """

    logits: torch.Tensor
    values: torch.Tensor
    memory: Memory


@dataclass(frozen=True, kw_only=True)
class Batch:
    """T decisions of N environments to learn from.

    Attributes:
        observations: uint8[T, N, K, H, W], 0 to 255.
        actions: int64[T, N].
        log_probabilities: float32[T, N], of the actions when they were taken.
        advantages: float32[T, N].
        targets: float32[T, N], what the value is to become.
        starts: bool[T, N], where an episode begins: the memory is emptied before that step.
        memory: Before the first step.
    """

    observations: torch.Tensor
    actions: torch.Tensor
    log_probabilities: torch.Tensor
    advantages: torch.Tensor
    targets: torch.Tensor
    starts: torch.Tensor
    memory: Memory


class FeedForwardActor:
    """A network that knows the present observation only."""

    def __init__(self, policy: ActorCriticPolicy) -> None:
        self.policy = policy

    def empty_memory(self, num_envs: int) -> Memory:
        """Return the memory of a network that has none."""
        return ()

    def answer(self, observations: torch.Tensor, memory: Memory, starts: torch.Tensor) -> Answer:
        """Answer uint8[N, K, H, W] observations, 0 to 255."""
        features = _features(self.policy, observations)
        return Answer(
            logits=self.policy.action_net(features),
            values=self.policy.value_net(features)[:, 0],
            memory=memory,
        )

    def minibatches(self, batch: Batch, size: int) -> Iterator[torch.Tensor]:
        """Yield every decision's index into [T * N] once, in random order, `size` at a time."""
        count = batch.actions.numel()
        yield from torch.randperm(count, device=batch.actions.device).split(size)

    def answer_again(self, batch: Batch, rows: torch.Tensor) -> Answer:
        """Answer some decisions of a batch with the present weights."""
        return self.answer(batch.observations.flatten(0, 1)[rows], (), batch.starts)


class RecurrentActor:
    """A network with one LSTM that the policy and the value share.

    Both send their gradient through the LSTM; sb3-contrib's own training stops the value's there.
    """

    def __init__(self, policy: RecurrentActorCriticPolicy) -> None:
        self.policy = policy

    def empty_memory(self, num_envs: int) -> Memory:
        """Return the memory at the beginning of an episode: zeros."""
        size = self.policy.lstm_actor.hidden_size
        zeros = torch.zeros(1, num_envs, size, device=self.policy.device)
        return zeros, zeros.clone()

    def answer(self, observations: torch.Tensor, memory: Memory, starts: torch.Tensor) -> Answer:
        """Answer uint8[N, K, H, W] observations, 0 to 255; starts bool[N] empty the memory."""
        features = _features(self.policy, observations)
        output, memory = self._remember(features[None], memory, starts[None])
        return self._heads(output[0], memory)

    def minibatches(self, batch: Batch, size: int) -> Iterator[torch.Tensor]:
        """Yield indices into [T * N]: whole environments, in random order, `size` decisions."""
        steps, num_envs = batch.actions.shape
        first = torch.arange(steps, device=batch.actions.device)[:, None] * num_envs
        order = torch.randperm(num_envs, device=batch.actions.device)
        for columns in order.split(max(1, size // steps)):
            yield (first + columns).flatten()

    def answer_again(self, batch: Batch, rows: torch.Tensor) -> Answer:
        """Answer some environments' decisions with the present weights, in their order."""
        steps, num_envs = batch.actions.shape
        columns = rows[: len(rows) // steps] % num_envs
        features = _features(self.policy, batch.observations.flatten(0, 1)[rows])
        memory = tuple(part[:, columns] for part in batch.memory)
        output, memory = self._remember(
            features.unflatten(0, (steps, -1)), memory, batch.starts[:, columns]
        )
        return self._heads(output.flatten(0, 1), memory)

    def _remember(
        self, features: torch.Tensor, memory: Memory, starts: torch.Tensor
    ) -> tuple[torch.Tensor, Memory]:
        """Run the LSTM over [T, N, F] features, in pieces between the steps that empty it."""
        inner = torch.nonzero(starts.any(dim=1))[:, 0].tolist()
        ends = sorted({0, *inner, len(starts)})
        outputs = []
        for first, last in pairwise(ends):
            kept = (~starts[first])[None, :, None].float()
            hidden, cell = (part * kept for part in memory)
            output, memory = self.policy.lstm_actor(features[first:last], (hidden, cell))
            outputs.append(output)
        return torch.cat(outputs), memory

    def _heads(self, output: torch.Tensor, memory: Memory) -> Answer:
        return Answer(
            logits=self.policy.action_net(output),
            values=self.policy.value_net(output)[:, 0],
            memory=memory,
        )


Actor = FeedForwardActor | RecurrentActor


def actor_of(policy: ActorCriticPolicy) -> Actor:
    """Return the actor of a network."""
    if isinstance(policy, RecurrentActorCriticPolicy):
        return RecurrentActor(policy)
    return FeedForwardActor(policy)


def _features(policy: ActorCriticPolicy, observations: torch.Tensor) -> torch.Tensor:
    return policy.features_extractor(observations.float().div_(255.0))
