"""Edits: a policy with some units silenced, pushed, or given another step's values.

An edited policy is a policy: it can be explained, compared, and played.

Shape letters: B observations, C units of a place, h w feature rows and columns, S recurrent state.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.network.places import Place, named_layers
from agentlens.policies.base import Policy, PolicyOutput

Operation = Literal["ablate", "keep", "patch", "steer"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """What is done to some units of one place, on every forward pass.

    - ``ablate``: the units give ``values`` (their mean over a recording; zeros if not given).
    - ``keep``: all other units do.
    - ``patch``: the units give ``values``, which may differ from row to row.
    - ``steer``: ``values`` are added to the units.

    ``values``: [C] or [C, h, w] for every observation, or [B, C, ...] a row each; as many C as the
    place has units. None is zeros, which changes nothing for ``steer``: a sham edit.
    """

    place: Place
    units: tuple[int, ...]
    operation: Operation = "ablate"
    values: Tensor | None = None

    def __post_init__(self) -> None:
        if self.operation not in ("ablate", "keep", "patch", "steer"):
            raise InvalidArgument(
                f"operation {self.operation!r}: expected ablate, keep, patch or steer."
            )
        if not all(0 <= unit < self.place.units for unit in self.units):
            raise InvalidArgument(
                f"units {self.units} of {self.place.name}: expected 0 to {self.place.units - 1}."
            )

    def apply(self, output: Tensor) -> Tensor:
        """The place's output after the edit, a new tensor of the same shape.

        Raises:
            ShapeError: ``values`` fit neither the place nor the batch.
        """
        values = self._values(output)
        chosen = torch.zeros(self.place.units, dtype=torch.bool, device=output.device)
        chosen[list(self.units)] = True
        if self.operation == "keep":
            chosen = ~chosen
        chosen = chosen.reshape(-1, *[1] * (output.ndim - 2))
        if self.operation == "steer":
            return torch.where(chosen, output + values, output)
        return torch.where(chosen, values, output)

    def _values(self, output: Tensor) -> Tensor:
        if self.values is None:
            return torch.zeros_like(output)
        values = self.values.to(output)
        if values.shape == output.shape:
            return values
        if values.shape == output.shape[1:]:
            return values[None].expand_as(output)
        if values.shape == output.shape[1:2]:
            return values.reshape(1, -1, *[1] * (output.ndim - 2)).expand_as(output)
        raise ShapeError(
            f"values of {self.place.name} have shape {tuple(values.shape)}, expected "
            f"{tuple(output.shape[1:])} or a row for each of {len(output)} observations."
        )


class EditedPolicy(Policy):
    """A policy with edits in force; its own weights are a copy, the original is not touched."""

    def __init__(self, policy: Policy, edits: Sequence[Edit]) -> None:
        super().__init__()
        self.inner = copy.deepcopy(policy)
        self.edits = tuple(edits)
        self.observation_shape = policy.observation_shape
        self.action_meanings = policy.action_meanings
        self.state_size, self.kind = policy.state_size, policy.kind
        self.has_value = policy.has_value
        self.requires_grad_(False)
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch with the edits in force; see ``Policy.forward``."""
        with applied(self.inner, self.edits):
            output: PolicyOutput = self.inner(observation, state)
        after = output.state
        for edit in self.edits:
            if edit.place.kind == "memory" and after is not None:
                after = _edited_memory(edit, after)
        return output._replace(state=after)


@contextlib.contextmanager
def applied(policy: Policy, edits: Sequence[Edit]) -> Iterator[None]:
    """Put the edits of layers in force while entered; edits of memory are the caller's."""
    layers = dict(named_layers(policy))
    handles = []
    for edit in edits:
        if edit.place.kind == "memory":
            continue

        def change(_: nn.Module, __: object, output: Tensor, edit: Edit = edit) -> Tensor:
            return edit.apply(output)

        handles.append(layers[edit.place.name].register_forward_hook(change))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def memory_part(place: Place, state: Tensor) -> slice:
    """Where a memory place lies in the flat recurrent state [B, S]."""
    size = place.units
    if place.name == "memory.cell":
        return slice(state.shape[1] - size, state.shape[1])
    return slice(0, size)


def _edited_memory(edit: Edit, state: Tensor) -> Tensor:
    """The state after the step with an edit of memory: what the next step begins with."""
    part = memory_part(edit.place, state)
    changed = state.clone()
    changed[:, part] = edit.apply(state[:, part])
    return changed
