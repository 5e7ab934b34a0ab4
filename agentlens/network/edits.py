"""Edits: a policy with some units silenced, pushed, given other values or other weights.

An edited policy is a policy: it can be explained, compared, and played.

Shape letters: B observations, C units of a place, h w feature rows and columns, S recurrent state.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument, ShapeError
from agentlens.network.operations import OPERATIONS, Operation
from agentlens.network.places import Place, named_layers
from agentlens.policies.base import Policy, PolicyOutput


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """What is done to some units of one place, on every forward pass.

    - ``ablate``: the units give ``values`` (their mean over a recording; zeros if not given).
    - ``keep``: all other units do.
    - ``patch``: the units give ``values``, which may differ from row to row; or what the same
      units of another policy, the ``donor``, give on the same observations.
    - ``steer``: ``values`` are added to the units.
    - ``reweigh``: the units' incoming weights and biases are ``values``, as ``incoming_weights``
      gives them.

    ``values``: [C] or [C, h, w] for every observation, or [B, C, ...] a row each; as many C as the
    place has units. None is zeros, which changes nothing for ``steer``: a sham edit.
    """

    place: Place
    units: tuple[int, ...]
    operation: Operation = "ablate"
    values: Tensor | None = None
    donor: Policy | None = None

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise InvalidArgument(
                f"operation {self.operation!r}: expected {', '.join(OPERATIONS)}."
            )
        if self.donor is not None and (self.operation != "patch" or self.values is not None):
            raise InvalidArgument("a donor goes with patch, and instead of values.")
        if self.operation == "reweigh" and (self.values is None or self.place.kind == "memory"):
            raise InvalidArgument("reweigh needs weights for units of a layer, not of memory.")
        if not all(0 <= unit < self.place.units for unit in self.units):
            raise InvalidArgument(
                f"units {self.units} of {self.place.name}: expected 0 to {self.place.units - 1}."
            )

    def resolved(self, observation: Tensor) -> Edit:
        """The edit with the donor's values on these observations [B, K, H, W] in its place."""
        if self.donor is None:
            return self
        given = _given_by(self.donor, self.place, observation)
        return dataclasses.replace(self, donor=None, values=given)

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
        self.observation_shape, self.channels = policy.observation_shape, policy.channels
        self.action_meanings = policy.action_meanings
        self.state_size, self.kind = policy.state_size, policy.kind
        self.has_value = policy.has_value
        self.requires_grad_(False)
        self.eval()

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        """Evaluate a batch with the edits in force; see ``Policy.forward``."""
        edits = [edit.resolved(observation) for edit in self.edits]
        with applied(self.inner, edits):
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
    with contextlib.ExitStack() as undo:
        for edit in edits:
            if edit.place.kind == "memory":
                continue
            if edit.operation == "reweigh":
                own, every = incoming_weights(policy, edit.place), tuple(range(edit.place.units))
                undo.callback(_reweigh, policy, edit.place, every, own)
                _reweigh(policy, edit.place, edit.units, edit.values)
                continue

            def change(_: nn.Module, __: object, output: Tensor, edit: Edit = edit) -> Tensor:
                return edit.apply(output)

            handle = layers[edit.place.name].register_forward_hook(change)
            undo.callback(handle.remove)
        yield


def incoming_weights(policy: Policy, place: Place) -> Tensor:
    """What decides a place's units: float32 [C, n + 1], the n weights of each and its bias.

    They lie in the layer itself or, of a rectifier say, in the nearest before it.

    Raises:
        InvalidArgument: no layer with a weight row a unit lies there.
    """
    layer = _weighted_layer(policy, place)
    rows = layer.weight.detach().flatten(1)
    bias = torch.zeros(len(rows)) if layer.bias is None else layer.bias.detach()
    return torch.cat([rows, bias.to(rows)[:, None]], 1).clone()


@torch.no_grad()
def _reweigh(policy: Policy, place: Place, units: tuple[int, ...], weights: Tensor | None) -> None:
    """Put rows of ``weights``, as ``incoming_weights`` gives them, into a policy, in place."""
    layer, chosen = _weighted_layer(policy, place), list(units)
    size = layer.weight[0].numel()
    if weights is None or weights.shape != (place.units, size + 1):
        raise ShapeError(
            f"weights of {place.name}: expected [{place.units}, {size + 1}], got "
            f"{None if weights is None else tuple(weights.shape)}."
        )
    rows = weights.to(layer.weight)[chosen]
    layer.weight[chosen] = rows[:, :-1].reshape(len(chosen), *layer.weight.shape[1:])
    if layer.bias is not None:
        layer.bias[chosen] = rows[:, -1]


def _weighted_layer(policy: Policy, place: Place) -> nn.Conv2d | nn.Linear:
    """The layer whose rows of weights are a place's units."""
    chain = place.name.rpartition(".")[0]
    before = []
    for name, module in named_layers(policy):
        if name.rpartition(".")[0] == chain:
            before.append(module)
        if name == place.name:
            break
    for module in reversed(before):
        if isinstance(module, nn.Conv2d | nn.Linear):
            if len(module.weight) == place.units:
                return module
            break
    raise InvalidArgument(
        f"{place.name}: no convolution or linear layer with a row of weights for each of its "
        f"{place.units} units lies there or just before; choose another place."
    )


@torch.no_grad()
def _given_by(donor: Policy, place: Place, observation: Tensor) -> Tensor:
    """What a place of a policy without memory gives on observations."""
    values: list[Tensor] = []
    layer = dict(named_layers(donor))[place.name]
    handle = layer.register_forward_hook(lambda _, __, output: values.append(output))
    try:
        donor(observation, None)
    finally:
        handle.remove()
    return values[0]


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
