"""Which attributes an output depends on together, read from the weights of a small network.

Shape letters: T steps, D attributes, L layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.arrays import check_finite, check_shape
from agentlens.errors import InvalidArgument

CONTROL = "control"
"""The column of independent noise that is fitted along: a pair with it found strong is a false
one."""


@dataclass(frozen=True, kw_only=True)
class InteractionPlan:
    """How the network is fitted.

    Raises:
        InvalidArgument: a number out of range.
    """

    hidden: tuple[int, ...] = (140, 100, 60, 20)
    """Units of the hidden layers."""
    l1: float = 5e-5
    """Weight of the sizes of all weights that interactions run through."""
    updates: int = 2000
    """Steps of Adam; the rate falls to 0 linearly."""
    batch: int = 200
    """Rows of each."""
    learning_rate: float = 1e-2
    """Of Adam, at the start."""
    main_effects: bool = True
    """A small network of each attribute alone beside, so that what one says needs no pair."""
    held_out: float = 0.2
    """Share of rows, the last ones, that the fit is judged on."""
    seed: int = 0
    """Of weights, batches and the control column."""

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1 or self.updates < 1 or self.batch < 1:
            raise InvalidArgument(
                f"hidden layers {self.hidden}, {self.updates} updates, batch {self.batch}: "
                "expected whole numbers from 1."
            )
        if not 0 < self.held_out < 1 or self.l1 < 0 or not self.learning_rate > 0:
            raise InvalidArgument(
                f"held out {self.held_out}, l1 {self.l1}, learning rate {self.learning_rate}: "
                "expected a share, 0 or more, and a positive number."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Interactions:
    """Strengths of all pairs.

    ``names``: of the D attributes, the control last. ``strength``: float64 [D, D], symmetric, zero
    on the diagonal, in the weights' own unit: only the order counts. ``fit``: R^2 on the rows
    held out; strengths of a network that does not fit say nothing.
    """

    names: tuple[str, ...]
    strength: np.ndarray
    fit: float

    def ranked(self) -> list[tuple[str, str, float]]:
        """All pairs, strongest first."""
        rows, columns = np.triu_indices(len(self.names), 1)
        order = np.argsort(-self.strength[rows, columns], kind="stable")
        return [
            (self.names[rows[i]], self.names[columns[i]], float(self.strength[rows[i], columns[i]]))
            for i in order
        ]

    @property
    def control_rank(self) -> int:
        """Place, from 1, of the strongest pair with the control."""
        ranked = self.ranked()
        return next(place for place, pair in enumerate(ranked, 1) if CONTROL in pair[:2])


def detect_interactions(
    attributes: np.ndarray,
    output: np.ndarray,
    names: Sequence[str],
    plan: InteractionPlan = InteractionPlan(),
) -> Interactions:
    """Fit a network from attributes to an output and read which pairs it takes together.

    Args:
        attributes: float [T, D], finite.
        output: float [T], such as the difference of two logits.
        names: D of them.
        plan: how the network is fitted.

    Raises:
        ShapeError, NotFinite: not a row an output, or numbers missing.
        InvalidArgument: fewer than 50 rows, or an output that never changes.

    Notes:
        ``plan.updates`` passes forward and back of a small network: seconds.

    References:
        Tsang et al. 2018, neural interaction detection, equation 6 for pairs: the sum over
        first-layer units of the smaller of the two weights' sizes, each times the aggregated
        sizes of the weights from that unit to the output. Deviations: pairs only, no cut-off;
        a column of noise is fitted along as a control.
    """
    check_shape("attributes", attributes, (None, len(names)))
    check_shape("output", output, (len(attributes),))
    check_finite("attributes", attributes)
    check_finite("output", output)
    if len(output) < 50 or float(np.std(output)) == 0:
        raise InvalidArgument(
            f"{len(output)} rows with outputs from {output.min():g} to {output.max():g}: "
            "expected 50 rows or more, and outputs that change."
        )
    rng = np.random.default_rng(plan.seed)
    table = np.concatenate([attributes, rng.normal(size=(len(attributes), 1))], 1)
    inputs, target = _standard(table), _standard(output[:, None])
    rows = len(target) - max(1, round(plan.held_out * len(target)))
    network = _AttributeNetwork(inputs.shape[1], plan)
    _fit(network, inputs[:rows], target[:rows], plan)
    with torch.no_grad():
        error = (network(inputs[rows:]) - target[rows:]).square().mean()
        variance = (target[rows:] - target[:rows].mean()).square().mean().clamp(min=1e-12)
    return Interactions(
        names=(*names, CONTROL),
        strength=_strengths(network),
        fit=float(1 - error / variance),
    )


class _AttributeNetwork(nn.Module):
    """All attributes together, and each alone."""

    def __init__(self, attributes: int, plan: InteractionPlan) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(plan.seed)
        sizes = [attributes, *plan.hidden, 1]
        self.layers: list[nn.Linear] = [
            _linear(sizes[i], sizes[i + 1], generator) for i in range(len(sizes) - 1)
        ]
        self.registered = nn.ModuleList(self.layers)
        self.alone = plan.main_effects
        self.first = nn.Parameter(torch.randn(attributes, 1, 10, generator=generator))
        self.offset = nn.Parameter(torch.randn(attributes, 1, 10, generator=generator))
        self.last = nn.Parameter(torch.randn(attributes, 10, 1, generator=generator) / 10)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = inputs
        for layer in self.layers[:-1]:
            hidden = torch.relu(layer(hidden))
        output: Tensor = self.layers[-1](hidden)
        if self.alone:
            single = torch.relu(inputs.T[:, :, None] * self.first + self.offset)
            output = output + (single @ self.last).sum(0)
        return output

    def penalty(self) -> Tensor:
        """Sizes of the weights that interactions run through."""
        return torch.stack([layer.weight.abs().sum() for layer in self.layers]).sum()


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    bound = (2.0 / inputs) ** 0.5
    layer.weight.data = torch.randn(outputs, inputs, generator=generator) * bound
    layer.bias.data.zero_()
    return layer


def _fit(network: _AttributeNetwork, inputs: Tensor, target: Tensor, plan: InteractionPlan) -> None:
    generator = torch.Generator().manual_seed(plan.seed + 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=plan.learning_rate)
    for update in range(plan.updates):
        optimiser.param_groups[0]["lr"] = plan.learning_rate * (1 - update / plan.updates)
        rows = torch.randint(len(inputs), (min(plan.batch, len(inputs)),), generator=generator)
        loss = (network(inputs[rows]) - target[rows]).square().mean()
        loss = loss + plan.l1 * network.penalty()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.no_grad()
def _strengths(network: _AttributeNetwork) -> np.ndarray:
    """Strength of every pair: float64 [D, D]."""
    sizes = [layer.weight.abs().double() for layer in network.layers]
    reach = sizes[-1]
    for weight in reversed(sizes[1:-1]):
        reach = reach @ weight
    first = sizes[0].numpy()
    smaller = np.minimum(first[:, :, None], first[:, None, :])
    strength: np.ndarray = (smaller * reach[0].numpy()[:, None, None]).sum(0)
    np.fill_diagonal(strength, 0.0)
    return strength


def _standard(columns: np.ndarray) -> Tensor:
    """Columns with mean 0 and deviation 1; one that never changes becomes 0."""
    centred = columns - columns.mean(0)
    spread = centred.std(0)
    return torch.from_numpy((centred / np.where(spread > 0, spread, 1.0)).astype(np.float32))
