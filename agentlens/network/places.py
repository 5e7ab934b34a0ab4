"""Places: every layer of a policy and every unit of it, by a name that does not change.

    torso.2             the output of layer 2 of the chain "torso"
    torso.7.unit.113    one unit of it: a channel of a convolution, an entry of a vector
    memory.hidden       the hidden state after the step (GRU, LSTM)
    memory.cell         an LSTM's cell state after the step

Layers are counted as in ``agent.toml``, those without tensors too. Policies that are not declared
chains have their modules' own names instead.

Shape letters: C channels or units, h w feature rows and columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.policies.base import Policy, window_sides
from agentlens.policies.networks import ChainPolicy

PlaceKind = Literal["spatial", "vector", "memory"]

_UNIT = re.compile(r"^(?P<layer>.+)\.unit\.(?P<unit>\d+)$")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One layer's output.

    ``shape``: of one observation, (C, h, w) or (C,). ``receptive_px``: side of the part of the
    observation that one value can depend on, rows and columns, None where it is all of it or not
    known. ``stride_px``: distance of neighbouring values, observation pixels. ``first_px``: the
    middle of what the first value sees, row and column of the observation.
    """

    name: str
    kind: PlaceKind
    layer: str
    shape: tuple[int, ...]
    receptive_px: tuple[int, int] | None = None
    stride_px: tuple[int, int] | None = None
    first_px: tuple[float, float] | None = None

    @property
    def centres(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Rows [h] and columns [w] of the observation in the middle of what each value of a spatial
        place sees; None where that is not known."""
        if self.stride_px is None or self.first_px is None:
            return None
        rows, columns = (
            first + stride * np.arange(size)
            for first, stride, size in zip(
                self.first_px, self.stride_px, self.shape[1:], strict=True
            )
        )
        return rows, columns

    @property
    def units(self) -> int:
        """How many units: channels of a spatial place, entries of a vector."""
        return self.shape[0]


def list_places(policy: Policy) -> tuple[Place, ...]:
    """Every place of a policy, in the order of computation; memory last.

    Notes:
        One forward pass of a blank observation.
    """
    shapes = _shapes(policy)
    fields = _receptive_fields(policy, shapes)
    places = []
    for name, module in named_layers(policy):
        if name not in shapes or isinstance(module, nn.GRUCell | nn.LSTMCell):
            continue
        shape = shapes[name]
        field, stride, first = fields.get(name, (None, None, None))
        places.append(
            Place(
                name=name,
                kind="spatial" if len(shape) == 3 else "vector",
                layer=type(module).__name__,
                shape=shape,
                receptive_px=field,
                stride_px=stride,
                first_px=first,
            )
        )
    return (*places, *_memory_places(policy))


def find_place(policy: Policy, name: str) -> Place:
    """The place of this name.

    Raises:
        UnknownName: no such place; the message lists the nearest.
    """
    places = {place.name: place for place in list_places(policy)}
    if name not in places:
        raise UnknownName("place", name, places, hint="agentlens network AGENT lists them.")
    return places[name]


def parse_unit(policy: Policy, text: str) -> tuple[Place, tuple[int, ...]]:
    """Read "torso.2" (all its units) or "torso.2.unit.7".

    Raises:
        UnknownName: no such place.
        InvalidArgument: no such unit.
    """
    match = _UNIT.match(text)
    if match is None:
        place = find_place(policy, text)
        return place, tuple(range(place.units))
    place, unit = find_place(policy, match["layer"]), int(match["unit"])
    if unit >= place.units:
        raise InvalidArgument(
            f"place {text!r}: {place.name} has units 0 to {place.units - 1}; choose one of them."
        )
    return place, (unit,)


def named_layers(policy: Policy) -> Iterator[tuple[str, nn.Module]]:
    """The leaf modules of a policy with their canonical names."""
    if isinstance(policy, ChainPolicy):
        for chain, layers in zip(policy.network.chains, policy.chains, strict=True):
            for index, layer in enumerate(layers.children()):
                yield f"{chain.name}.{index}", layer
        return
    for name, module in policy.named_modules():
        if name and not any(True for _ in module.children()):
            yield name, module


def blank_observation(policy: Policy, batch: int = 1) -> Tensor:
    """Zeros of the policy's observation shape, on its device and in its precision."""
    parameter = next(policy.parameters(), torch.zeros(()))
    return torch.zeros(
        batch, *policy.observation_shape, device=parameter.device, dtype=parameter.dtype
    )


def _shapes(policy: Policy) -> dict[str, tuple[int, ...]]:
    """The shape of each leaf's output for one observation; leaves that give no tensor are left
    out."""
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for name, module in named_layers(policy):

        def keep(_: nn.Module, __: object, output: object, name: str = name) -> None:
            if isinstance(output, Tensor) and output.ndim in (2, 4):
                shapes[name] = tuple(output.shape[1:])

        handles.append(module.register_forward_hook(keep))
    try:
        with torch.no_grad():
            policy(blank_observation(policy), policy.initial_state(1))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def _receptive_fields(
    policy: Policy, shapes: dict[str, tuple[int, ...]]
) -> dict[str, tuple[tuple[int, int], tuple[int, int], tuple[float, float]]]:
    """Receptive field, stride and first centre of the layers of a leading chain of convolutions and
    pools."""
    if not isinstance(policy, ChainPolicy) or policy.network.reshape is not None:
        return {}
    fields, field, stride, centre = {}, (1, 1), (1, 1), (0.0, 0.0)
    reading = next(c.name for c in policy.network.chains if c.reads == "observation")
    for name, module in named_layers(policy):
        if not name.startswith(f"{reading}."):
            continue
        if len(shapes.get(name, ())) != 3:
            break
        kernel, step, padding = _kernel(module)
        centre = (
            centre[0] + ((kernel[0] - 1) / 2 - padding[0]) * stride[0],
            centre[1] + ((kernel[1] - 1) / 2 - padding[1]) * stride[1],
        )
        field = (field[0] + (kernel[0] - 1) * stride[0], field[1] + (kernel[1] - 1) * stride[1])
        stride = (stride[0] * step[0], stride[1] * step[1])
        fields[name] = (field, stride, centre)
    return fields


def _kernel(module: nn.Module) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Sides, steps and padding of what a layer reads at a time."""
    if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        return (1, 1), (1, 1), (0, 0)
    return window_sides(module)


def _memory_places(policy: Policy) -> tuple[Place, ...]:
    """Hidden and cell state, where the policy has one recurrent layer."""
    cells = [m for m in policy.modules() if isinstance(m, nn.GRUCell | nn.LSTMCell)]
    if policy.state_size == 0:
        return ()
    if len(cells) != 1:
        return (
            Place(name="memory.state", kind="memory", layer="state", shape=(policy.state_size,)),
        )
    size = (cells[0].hidden_size,)
    layer = type(cells[0]).__name__
    names = ("memory.hidden", "memory.cell") if layer == "LSTMCell" else ("memory.hidden",)
    return tuple(Place(name=name, kind="memory", layer=layer, shape=size) for name in names)
