"""A few numbers that say what a layer says: an explainable embedding of features.

Shape letters: T steps, C units of the layer, E numbers of the embedding, A outputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.counts import check_count, check_rate
from agentlens.errors import InvalidArgument
from agentlens.network.independence import independent_directions


@dataclass(frozen=True, kw_only=True)
class EmbeddingPlan:
    """How an embedding is learned.

    Raises:
        InvalidArgument: a number out of range.
    """

    numbers: int = 5
    """Numbers of the embedding (k)."""
    hidden: int = 100
    """Units between layer and embedding."""
    sparse: float = 0.0
    """Weight of the reconstruction of the layer, log(1 + 100 error^2) a unit."""
    apart: float = 1.0
    """Weight that pulls the numbers' contributions to the outputs apart."""
    independent: bool = True
    """Turn the learned numbers until they are as independent as they can be, which changes
    nothing of what they say of the policy; they then have spread 1."""
    updates: int = 1500
    """Steps of Adam."""
    batch: int = 256
    """Steps of the recording in each."""
    learning_rate: float = 3e-3
    """Of Adam; it falls to 0 linearly."""
    seed: int = 0
    """Of weights and batches."""

    def __post_init__(self) -> None:
        for name in ("numbers", "hidden", "updates", "batch"):
            check_count(name, getattr(self, name))
        check_count("seed", self.seed, least=0)
        check_rate("learning_rate", self.learning_rate)
        for name in ("sparse", "apart"):
            if not 0 <= getattr(self, name) < np.inf:
                raise InvalidArgument(f"{name} {getattr(self, name)!r}: expected 0 or more.")


class Embedding(nn.Module):
    """A layer -> E numbers -> the policy's preferences; and, where asked, the layer again.

    References:
        Qi & Li 2017 (SRAE): encoder with one hidden layer, sparse reconstruction
        log(1 + q r^2), pull-away of the numbers' contributions. Deviations: numbers are not
        rectified, the outputs' loss is the KL of the policies instead of a squared error, and
        afterwards they may be turned to independence.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, units: int, outputs: int, plan: EmbeddingPlan) -> None:
        super().__init__()
        self.plan = plan
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            self.encoder = nn.Sequential(
                nn.Linear(units, plan.hidden), nn.ReLU(), nn.Linear(plan.hidden, plan.numbers)
            )
            self.outputs = nn.Linear(plan.numbers, outputs)
            self.layer = nn.Linear(plan.numbers, units)
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("scale", torch.ones(()))

    def embed(self, layer: Tensor) -> Tensor:
        """[T, C] -> [T, E]."""
        numbers: Tensor = self.encoder((layer - self.mean) / self.scale)
        return numbers

    def forward(self, layer: Tensor) -> Tensor:
        """The preferences that the embedding gives: [T, C] -> [T, A]."""
        preferences: Tensor = self.outputs(self.embed(layer))
        return preferences


def learn_embedding(layer: np.ndarray, preferences: np.ndarray, plan: EmbeddingPlan) -> Embedding:
    """Learn an embedding that keeps the policy.

    Args:
        layer: [T, C].
        preferences: [T, A], the policy's logits on the same steps.
        plan: how many numbers, how long.
    """
    data = torch.from_numpy(np.asarray(layer, np.float32))
    wanted = torch.from_numpy(np.asarray(preferences, np.float32)).log_softmax(1)
    model = Embedding(data.shape[1], wanted.shape[1], plan)
    model.mean.copy_(data.mean(0))
    model.scale.copy_((data - data.mean(0)).std().clamp_min(1e-6))
    optimiser = torch.optim.Adam(model.parameters(), lr=plan.learning_rate)
    for update, rows in enumerate(_batches(len(data), plan)):
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * (1 - update / plan.updates)
        numbers = model.embed(data[rows])
        given = model.outputs(numbers).log_softmax(1)
        target = wanted[rows]
        loss = (target.exp() * (target - given)).sum(1).mean()
        loss = loss + plan.apart * pull_away(numbers, model.outputs.weight)
        if plan.sparse:
            error = model.layer(numbers) - (data[rows] - model.mean) / model.scale
            loss = loss + plan.sparse * torch.log1p(100 * error.square()).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.eval().requires_grad_(False)
    if plan.independent and plan.numbers > 1:
        _turn(model, data)
    return model


def _turn(model: Embedding, layer: Tensor) -> None:
    """Turn the numbers to independence, those that move the outputs most first; the outputs and
    the layer that they give stay as they are."""
    numbers = model.embed(layer).double()
    turned = torch.from_numpy(independent_directions(numbers.numpy(), model.plan.seed))
    back, mean = torch.linalg.inv(turned), numbers.mean(0)
    order = (model.outputs.weight.double() @ back).norm(dim=0).argsort(descending=True)
    turned, back = turned[order], back[:, order]
    last = model.encoder[-1]
    assert isinstance(last, nn.Linear)
    weight, bias = turned @ last.weight.double(), turned @ (last.bias.double() - mean)
    last.weight.copy_(weight)
    last.bias.copy_(bias)
    for head in (model.outputs, model.layer):
        head.bias.copy_(head.bias.double() + head.weight.double() @ mean)
        head.weight.copy_(head.weight.double() @ back)


def learn_head(numbers: np.ndarray, preferences: np.ndarray, plan: EmbeddingPlan) -> nn.Linear:
    """A linear map from given numbers to the policy's preferences, learned as an embedding's.

    The control of an embedding: what as many principal components say of the policy.

    Args:
        numbers: [T, E], each of about the same spread.
        preferences: [T, A], the policy's logits on the same steps.
        plan: how long.
    """
    data = torch.from_numpy(np.asarray(numbers, np.float32))
    wanted = torch.from_numpy(np.asarray(preferences, np.float32)).log_softmax(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        head = nn.Linear(data.shape[1], wanted.shape[1])
    optimiser = torch.optim.Adam(head.parameters(), lr=plan.learning_rate)
    for update, rows in enumerate(_batches(len(data), plan)):
        for group in optimiser.param_groups:
            group["lr"] = plan.learning_rate * (1 - update / plan.updates)
        given, target = head(data[rows]).log_softmax(1), wanted[rows]
        loss = (target.exp() * (target - given)).sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return head.eval().requires_grad_(False)


def pull_away(numbers: Tensor, weight: Tensor) -> Tensor:
    """The mean squared cosine between the numbers' centred contributions: 0 where orthogonal.

    Args:
        numbers: [T, E]. weight: [A, E], from numbers to outputs.

    References:
        Qi & Li 2017 after Zhao et al. 2017 (pull-away term).
    """
    sizes = weight.norm(dim=0)
    contributions = (numbers - numbers.mean(0)) * sizes
    normed = contributions / contributions.norm(dim=0).clamp_min(1e-6)
    cosines = normed.T @ normed
    count = cosines.shape[0]
    if count == 1:
        return torch.zeros(())
    beside = cosines.square().sum() - cosines.diagonal().square().sum()
    return torch.as_tensor(beside / (count * (count - 1)))


def orthogonality(numbers: np.ndarray) -> float:
    """1 less the mean absolute correlation between different numbers [T, E]; 1 is orthogonal."""
    if numbers.shape[1] == 1:
        return 1.0
    varying = numbers[:, numbers.std(0) > 0]
    if varying.shape[1] < 2:
        return 1.0
    correlations = np.abs(np.corrcoef(varying.T))
    count = len(correlations)
    return float(1 - (correlations.sum() - count) / (count * (count - 1)))


def locality(sensitivities: np.ndarray) -> float:
    """How few units the numbers depend on, mean over numbers: 1 of one unit, 0 of all alike.

    Args:
        sensitivities: [E, C], how far each number moves with the spread of each unit.

    References:
        The quantity of Qi & Li 2017 is of places in a picture; here it is 1 less the share of the
        units that take part (the squared sum of squares over the sum of fourth powers).
    """
    squares = np.square(sensitivities.astype(np.float64))
    taking_part = squares.sum(1) ** 2 / np.maximum(np.square(squares).sum(1), 1e-300)
    count = sensitivities.shape[1]
    return float((1 - (taking_part - 1) / max(count - 1, 1)).mean())


def sensitivities(model: Embedding, layer: np.ndarray) -> np.ndarray:
    """How far each number moves with each unit's spread: float64 [E, C], root mean square over the
    steps of a layer [T, C]."""
    inputs = torch.from_numpy(np.asarray(layer, np.float32)).requires_grad_(True)
    rows = []
    with torch.enable_grad():
        numbers = model.embed(inputs)
        for number in range(numbers.shape[1]):
            (slope,) = torch.autograd.grad(numbers[:, number].sum(), inputs, retain_graph=True)
            rows.append(slope.double().square().mean(0).sqrt().numpy() * layer.std(0))
    return np.stack(rows)


def policy_kl(preferences: np.ndarray, given: np.ndarray) -> float:
    """Mean KL from the policy of logits [T, A] to that of others [T, A], nats."""
    before = torch.from_numpy(preferences).double().log_softmax(1)
    after = torch.from_numpy(given).double().log_softmax(1)
    return float((before.exp() * (before - after)).sum(1).mean())


def _batches(count: int, plan: EmbeddingPlan) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(plan.seed)
    for _ in range(plan.updates):
        yield torch.randint(count, (min(plan.batch, count),), generator=generator)
