"""A policy's outputs for several games at once, the same bits however many there are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from agentlens.arrays import check_finite, check_shape
from agentlens.policies.base import Policy, Preference

ROWS_ON_GPU = 32
"""Rows of every forward pass on a GPU; fewer observations are padded with zeros."""


class Outputs(NamedTuple):
    """What the policy says about one observation.

    ``preferences``: float32 [A], as ``kind`` says. ``value``: where there is a critic. ``state``:
    float32 [S] after the step, ``None`` without memory. ``quantiles``: float32 [A, N] where the
    policy gives a distribution.
    """

    preferences: np.ndarray
    kind: Preference
    value: float | None = None
    state: np.ndarray | None = None
    quantiles: np.ndarray | None = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread while entered.

    A row at a time is not worth more, and how many threads share a matrix product changes its
    last bits.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def evaluate(
    policy: Policy,
    device: torch.device,
    observations: Sequence[np.ndarray],
    states: Sequence[np.ndarray | None],
    *,
    rows: int = 0,
) -> list[Outputs]:
    """Ask the policy about some observations.

    Args:
        observations: float32 [K, H, W] each, scaled.
        states: float32 [S] each, before the step; ``None`` without memory.
        rows: size of every forward pass; 0 for the device's usual one.

    Raises:
        NotFinite: an output is not finite.
        ShapeError: the outputs do not fit the declared actions.

    Notes:
        Float32 outputs depend on the size of the batch (by about 1e-6), so that a sampled action
        could depend on how many games are played at once. With a fixed size they do not depend
        on what else is in the batch. On a CPU every row is a batch of its own (up to 3 times
        the cost of a batch of 8) and ``one_thread`` should hold; on a GPU every batch has
        ``ROWS_ON_GPU`` rows. Between devices the 1e-6 remain.
    """
    rows = rows or (1 if device.type == "cpu" else ROWS_ON_GPU)
    results: list[Outputs] = []
    for start in range(0, len(observations), rows):
        part = slice(start, start + rows)
        results += _evaluate_rows(policy, device, observations[part], states[part], rows)
    return results


def _evaluate_rows(
    policy: Policy,
    device: torch.device,
    observations: Sequence[np.ndarray],
    states: Sequence[np.ndarray | None],
    rows: int,
) -> list[Outputs]:
    memory = None
    if policy.state_size:
        memory = _padded([s for s in states if s is not None], rows, device)
    with torch.inference_mode():
        output = policy(_padded(observations, rows, device), memory)
    preferences = _on_cpu(output.kind, output.preferences, len(observations))
    actions = len(policy.action_meanings)
    check_shape("the policy's output", preferences, (None, actions))
    value, state, quantiles = (
        None if tensor is None else _on_cpu(name, tensor, len(observations))
        for name, tensor in zip(output._fields[2:], output[2:], strict=True)
    )
    if quantiles is not None:
        check_shape("the policy's quantiles", quantiles, (None, actions, None))
    return [
        Outputs(
            preferences=preferences[i],
            kind=output.kind,
            value=None if value is None else float(value[i]),
            state=None if state is None else state[i],
            quantiles=None if quantiles is None else quantiles[i],
        )
        for i in range(len(observations))
    ]


def _on_cpu(name: str, tensor: Tensor, count: int) -> np.ndarray:
    """The first ``count`` rows, float32 and finite."""
    array = tensor[:count].float().cpu().numpy()
    check_finite(f"the policy's {name}", array)
    return array


def _padded(arrays: Sequence[np.ndarray], rows: int, device: torch.device) -> Tensor:
    if rows == 1:
        return torch.from_numpy(arrays[0][None]).to(device)
    batch = np.zeros((rows, *arrays[0].shape), np.float32)
    for row, array in zip(batch, arrays, strict=False):
        row[...] = array
    return torch.from_numpy(batch).to(device)
