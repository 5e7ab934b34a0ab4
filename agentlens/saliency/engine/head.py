"""Heads of incrementally evaluated policies: from differences of the trunk to outputs.

Shape letters: M masks, m masks of a chunk, P trunk positions, C channels, N outputs of the head's
linear map, S recurrent state. A *row* stands for one perturbed observation; row 0 for the
unperturbed one.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.engine.plan import WORTH_LEAVING_OUT, ChunkPlan

BATCH_ROWS = 2048
"""Most rows that the policy's own code sees at once."""


class Head(Protocol):
    """What the engine asks of a head; rows are [1 + M, ``width``]."""

    width: int

    @property
    def nbytes(self) -> int:
        """Memory of weights laid out anew, in bytes."""

    def base_row(self, base: Tensor) -> Tensor:
        """The row [1, width] of an unperturbed trunk output [P, C]."""

    def add(self, rows: Tensor, plan: ChunkPlan, base_row: Tensor, features: Tensor) -> None:
        """Write the rows of a chunk: the base row and what ``features`` [m * P, C] add to it."""

    def finish(self, rows: Tensor, state: Tensor | None) -> PolicyOutput:
        """Outputs of all rows for the recurrent state [1, S] before the step."""


def choose_head(policy: Policy, output_shape: tuple[int, int, int]) -> Head:
    """The head that knows most about the policy; ``output_shape`` is the trunk's (C, h, w)."""
    if policy.projection() is None:
        return FeatureHead(policy, output_shape)
    return ProjectedHead(policy, output_shape)


class ProjectedHead:
    """A head that begins with a linear map, applied to the differences that can be there."""

    def __init__(self, policy: Policy, output_shape: tuple[int, int, int]) -> None:
        projection = policy.projection()
        assert projection is not None
        channels, height, width = output_shape
        by_position = projection.weight.detach().view(-1, channels, height * width)
        self._policy = policy
        self._channels = channels
        self._weight = by_position.permute(2, 1, 0).flatten(0, 1).contiguous()
        self._bias = projection.bias.detach()
        self.width = len(self._bias)

    @property
    def nbytes(self) -> int:
        """Memory of the weights laid out anew, in bytes."""
        return self._weight.numel() * self._weight.element_size()

    def base_row(self, base: Tensor) -> Tensor:
        """See ``Head``."""
        return torch.addmm(self._bias, base.reshape(1, -1), self._weight)

    def add(self, rows: Tensor, plan: ChunkPlan, base_row: Tensor, features: Tensor) -> None:
        """See ``Head``."""
        chunk = rows[1 + plan.start : 1 + plan.stop]
        chunk.copy_(base_row.expand_as(chunk))
        changes = features.view(plan.masks, -1)
        for first, last, start, stop in plan.runs:
            columns = slice(start * self._channels, stop * self._channels)
            read, weight = changes[first:last, columns], self._weight[columns]
            alive = (read.abs().amax(0) != 0).nonzero().flatten()
            if len(alive) <= WORTH_LEAVING_OUT * len(weight):
                read, weight = read.index_select(1, alive), weight.index_select(0, alive)
            chunk[first:last].addmm_(read, weight)

    def finish(self, rows: Tensor, state: Tensor | None) -> PolicyOutput:
        """See ``Head``."""
        parts = [self._policy.finish(part, state) for part in _batches(rows)]
        return _join(rows, parts)


class FeatureHead:
    """Any other head: it gets the whole trunk output of every mask."""

    def __init__(self, policy: Policy, output_shape: tuple[int, int, int]) -> None:
        self._policy = policy
        self._output_shape = output_shape
        self.width = output_shape[0] * output_shape[1] * output_shape[2]

    @property
    def nbytes(self) -> int:
        """Nothing is laid out anew."""
        return 0

    def base_row(self, base: Tensor) -> Tensor:
        """See ``Head``."""
        return base.reshape(1, -1)

    def add(self, rows: Tensor, plan: ChunkPlan, base_row: Tensor, features: Tensor) -> None:
        """See ``Head``."""
        torch.add(features.view(plan.masks, -1), base_row, out=rows[1 + plan.start : 1 + plan.stop])

    def finish(self, rows: Tensor, state: Tensor | None) -> PolicyOutput:
        """See ``Head``."""
        channels, height, width = self._output_shape
        parts = []
        for part in _batches(rows):
            features = part.view(len(part), height, width, channels).permute(0, 3, 1, 2)
            before = None if state is None else state.expand(len(part), -1)
            parts.append(self._policy.head(features.contiguous(), before))
        return _join(rows, parts)


def _batches(rows: Tensor) -> list[Tensor]:
    """Batches of at most ``BATCH_ROWS``; the base row rides at the front of each."""
    if len(rows) <= BATCH_ROWS:
        return [rows]
    return [torch.cat([rows[:1], part]) for part in torch.split(rows[1:], BATCH_ROWS - 1)]


def _join(rows: Tensor, parts: list[PolicyOutput]) -> PolicyOutput:
    """One output of all rows; where a row equals the base row, so do its outputs.

    Products may round by the size of their batch and by a row's place in it: every batch is moved
    to the first one's base outputs, and equal rows are set equal.
    """
    same = (rows == rows[:1]).all(dim=1)

    def join(outputs: list[Tensor]) -> Tensor:
        base = outputs[0][:1]
        joined = torch.cat([base] + [v[1:] + (base - v[:1]) for v in outputs])
        joined[same] = base.clone()
        return joined

    values = [part.value for part in parts if part.value is not None]
    return PolicyOutput(
        preferences=join([part.preferences for part in parts]),
        kind=parts[0].kind,
        value=join(values) if values else None,
    )
