"""Taps: what the places of a policy give on the steps of a recording, in bounded memory.

Shape letters: T steps, C units, h w feature rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from agentlens.network.edits import memory_part
from agentlens.network.places import Place, named_layers
from agentlens.policies.base import Policy, PolicyOutput

CHUNK = 64
"""Observations of a forward pass."""


def read_places(
    policy: Policy, places: Sequence[Place], observation: Tensor, state: Tensor | None
) -> tuple[PolicyOutput, dict[str, Tensor]]:
    """One forward pass with what the places gave.

    Args:
        policy: whose places they are.
        places: which ones.
        observation: [B, K, H, W].
        state: [B, S] before the step, None without memory.

    Returns:
        The policy's output, and by name the places' values [B, C] or [B, C, h, w].
    """
    layers, values, handles = dict(named_layers(policy)), {}, []
    for place in places:
        if place.kind == "memory":
            continue

        def keep(_: nn.Module, __: object, output: Tensor, name: str = place.name) -> None:
            values[name] = output

        handles.append(layers[place.name].register_forward_hook(keep))
    try:
        output = policy(observation, state)
    finally:
        for handle in handles:
            handle.remove()
    for place in places:
        if place.kind == "memory" and output.state is not None:
            values[place.name] = output.state[:, memory_part(place, output.state)]
    return output, values


@torch.no_grad()
def tap(
    policy: Policy,
    places: Sequence[Place],
    observations: np.ndarray,
    states: np.ndarray | None,
    *,
    pooled: bool = False,
) -> dict[str, np.ndarray]:
    """What places give on T observations.

    Args:
        policy: on its device; values come back on the CPU.
        places: which ones.
        observations: float32 [T, K, H, W].
        states: float32 [T, S] before each step, None without memory.
        pooled: take the largest value of each channel of a spatial place: [T, C].

    Returns:
        By name float16 [T, C, h, w] or [T, C]; float32 where values are too large for that.

    Notes:
        T / 64 forward passes; 2 bytes a value.
    """
    device = next(policy.parameters(), torch.zeros(())).device
    parts: dict[str, list[np.ndarray]] = {place.name: [] for place in places}
    for rows in _chunks(len(observations)):
        observation = torch.from_numpy(np.ascontiguousarray(observations[rows])).to(device)
        state = None if states is None else torch.from_numpy(states[rows]).to(device)
        _, values = read_places(policy, places, observation, state)
        for name, value in values.items():
            value = value.amax((2, 3)) if pooled and value.ndim == 4 else value
            parts[name].append(_small(value).cpu().numpy())
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _small(value: Tensor) -> Tensor:
    """Values in float16, in float32 where they would become infinite."""
    half = value.to(torch.float16)
    return half if bool(torch.isfinite(half).all()) else value.float()


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))
