"""Masks in batches, for any policy on any device.

Shape letters: U units (a frame with one plane selection), R rows of a batch, M masks, K planes,
H W observation, A actions.

Every unit of a batch has R rows: the unperturbed observation, then masks, then padding, so a
batch's shape never depends on how many frames a call has. What is kept of a row is its
difference from the unperturbed row of its own batch: outputs differ by 1e-6 between batches.
Some matrix products also round by a row's place in the batch (where a row's bytes are not a
multiple of 16); a policy with such a layer gets an unperturbed row for every place, at twice the
forward passes. So a row that changes nothing differs by exactly 0 for every policy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from agentlens.errors import DeviceError
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.settings import (
    device_of,
    dtype_of,
    exact_float32,
    is_out_of_memory,
    torch_threads,
)

CPU_BATCH_BYTES = 12 << 20
"""Observations and activations of one batch on a CPU: beyond its caches batches get slower."""

_ROWS_STEP = 8
"""Batches are a multiple of this, so that no row falls into a kernel's differently rounded rest."""


class _Results(NamedTuple):
    """Outputs of all units: ``preferences`` [N, M, A], ``value`` [N, M], and each unit's base."""

    preferences: Tensor
    value: Tensor | None
    base_preferences: Tensor
    base_value: Tensor | None


class BatchedEngine:
    """Evaluates a policy on batches of masked observations.

    Args:
        policy: on its device; its precision is the engine's.
        perturbation: masks and plane selections.
        rows: rows of a batch; above one frame's masks several frames share a batch.
        threads: of torch on a CPU, 0 for its own choice.
    """

    def __init__(
        self, policy: Policy, perturbation: MaskedPlanes, *, rows: int, threads: int = 0
    ) -> None:
        self._policy, self._threads = policy, threads
        self._device, self._dtype = device_of(policy), dtype_of(policy)
        self._masks = perturbation.masks.to(self._device, self._dtype)
        chosen = torch.zeros(len(perturbation.selections), policy.observation_shape[0])
        for index, planes in enumerate(perturbation.selections):
            chosen[index, list(planes)] = 1
        self._chosen = chosen.to(self._device, self._dtype)[:, :, None, None]
        self.rows = max(2, rows)
        self._places_matter: bool | None = None

    @torch.inference_mode()
    def __call__(
        self, observations: Tensor, references: Tensor, states: Tensor | None
    ) -> PerturbedOutputs:
        """Evaluate; see ``Engine``.

        Raises:
            DeviceError: memory ran out with a single mask in the batch.
        """
        observations = observations.to(self._device, self._dtype)
        references = references.to(self._device, self._dtype)
        of_each_mask = references.dim() == observations.dim() + 1
        differences = references - (observations[:, None] if of_each_mask else observations)
        states = None if states is None else states.to(self._device, self._dtype)
        selections, units = len(self._chosen), len(observations) * len(self._chosen)
        results, halvings, unit, start = self._allocate(units), 0, 0, 0
        with exact_float32(), torch_threads(self._threads):
            while unit < units:
                count = min(self._units_at_once, units - unit)
                stop = min(start + self.rows - 1, len(self._masks))
                index = torch.arange(unit, unit + count, device=self._device)
                frame, plane = index // selections, self._chosen[index % selections]
                try:
                    self._evaluate(
                        observations[frame],
                        differences[frame] * plane,
                        None if states is None else states[frame],
                        results,
                        (unit, start, stop),
                    )
                except (MemoryError, RuntimeError) as error:
                    self._halve(error)
                    halvings += 1
                    continue
                unit, start = (unit, stop) if stop < len(self._masks) else (unit + count, 0)
        return self._shape(results, len(observations), halvings)

    @property
    def _units_at_once(self) -> int:
        if self._device.type == "cpu":
            return 1
        return max(1, self.rows // _padded(len(self._masks) + 1))

    def _evaluate(
        self,
        observations: Tensor,
        differences: Tensor,
        states: Tensor | None,
        results: _Results,
        place: tuple[int, int, int],
    ) -> None:
        """Evaluate masks start..stop of U units and write what they give into ``results``."""
        unit, start, stop = place
        units, count = len(observations), stop - start
        rows = min(self.rows, _padded(len(self._masks) + 1))
        masks = self._masks.new_zeros(rows, 1, *self._masks.shape[1:])
        masks[1 : count + 1, 0] = self._masks[start:stop]
        if differences.dim() == observations.dim():
            inputs = observations[:, None] + masks * differences[:, None]
        else:
            inputs = observations[:, None].expand(-1, rows, -1, -1, -1).clone()
            inputs[:, 1 : count + 1] += masks[1 : count + 1] * differences[:, start:stop]
        same = (inputs == observations[:, None]).flatten(2).all(-1)[:, 1 : count + 1]
        repeated = None if states is None else states.repeat_interleave(rows, 0)
        output: PolicyOutput = self._policy(inputs.flatten(0, 1), repeated)
        still = output
        if self._check_places(rows * units):
            alike = observations[:, None].expand_as(inputs).flatten(0, 1)
            still = self._policy(alike.contiguous(), repeated)

        def keep(values: Tensor, unchanged: Tensor, target: Tensor, base: Tensor) -> None:
            values, own = values.reshape(units, rows, -1), unchanged.reshape(units, rows, -1)
            if still is output:
                own = own[:, :1].expand_as(own)
            if start == 0:
                base[unit : unit + units] = own[:, 0]
            kept = base[unit : unit + units, None]
            changed = values[:, 1 : count + 1] + (kept - own[:, 1 : count + 1])
            target[unit : unit + units, start:stop] = torch.where(same[..., None], kept, changed)

        keep(output.preferences, still.preferences, results.preferences, results.base_preferences)
        if results.value is not None and results.base_value is not None:
            assert output.value is not None  # has_value says so
            assert still.value is not None
            keep(output.value, still.value, results.value, results.base_value)

    def _check_places(self, rows: int) -> bool:
        """Whether equal rows of a batch of this size may give outputs that differ in their last
        bits."""
        if self._places_matter is None:
            self._places_matter = _has_odd_products(self._policy) or any(
                self._tell_places_apart(rows, seed) for seed in range(2)
            )
        return self._places_matter

    def _tell_places_apart(self, rows: int, seed: int) -> bool:
        generator = torch.Generator().manual_seed(seed)
        row = torch.rand(1, *self._policy.observation_shape, generator=generator)
        state = self._policy.initial_state(rows)
        output = self._policy(
            row.to(self._device, self._dtype).repeat(rows, 1, 1, 1),
            None if state is None else state + 0.1,
        )
        heads = [output.preferences] + ([] if output.value is None else [output.value])
        return any(bool((head != head[:1]).any()) for head in heads)

    def _allocate(self, units: int) -> _Results:
        masks, actions = len(self._masks), len(self._policy.action_meanings)

        def empty(*shape: int) -> Tensor:
            return torch.empty(shape, device=self._device, dtype=self._dtype)

        value = self._policy.has_value
        return _Results(
            empty(units, masks, actions),
            empty(units, masks, 1) if value else None,
            empty(units, actions),
            empty(units, 1) if value else None,
        )

    def _shape(self, results: _Results, frames: int, halvings: int) -> PerturbedOutputs:
        """Anchor every selection of a frame to its first one's base, and shape by frame."""
        selections = len(self._chosen)

        def anchored(values: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
            values = values.reshape(frames, selections, *values.shape[1:])
            base = base.reshape(frames, selections, 1, -1)
            return base[:, 0, 0], values + (base[:, :1] - base)

        base, perturbed = anchored(results.preferences, results.base_preferences)
        base_value = value = None
        if results.value is not None and results.base_value is not None:
            base_value, value = anchored(results.value, results.base_value)
            base_value, value = base_value[..., 0], value[..., 0]
        kind = self._policy.kind
        return PerturbedOutputs(
            PolicyOutput(base, kind, base_value), PolicyOutput(perturbed, kind, value), halvings
        )

    def _halve(self, error: MemoryError | RuntimeError) -> None:
        """Halve the batch after running out of memory; another error goes on."""
        if not is_out_of_memory(error):
            raise error
        rows = min(self.rows, _padded(len(self._masks) + 1) * self._units_at_once)
        if rows <= 2:
            raise DeviceError(
                f"memory ran out on {self._device} with a single mask in the batch: "
                "free some, or use a device with more."
            ) from error
        self.rows, self._places_matter = max(2, rows // 2), None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def row_bytes(policy: Policy) -> int:
    """Bytes that one more row of a batch needs: its observation and every layer's output."""
    total = 0

    def count(_module: object, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, Tensor):
            total += output.numel() * output.element_size()

    leaves = [module for module in policy.modules() if not list(module.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves if leaf is not policy]
    observation = torch.zeros(
        1, *policy.observation_shape, device=device_of(policy), dtype=dtype_of(policy)
    )
    try:
        with torch.inference_mode():
            policy(observation, policy.initial_state(1))
    finally:
        for hook in hooks:
            hook.remove()
    return total + observation.numel() * observation.element_size()


def batch_rows(policy: Policy, masks: int, memory_bytes: int) -> int:
    """Rows of a batch within the memory budget, spread evenly over the batches of a frame.

    Half of the budget is for temporaries: the masked input is made from three arrays, and a
    layer needs its input, its output and a workspace at once.
    """
    most = max(2, memory_bytes // 4 // row_bytes(policy))
    if device_of(policy).type == "cpu":
        most = min(most, max(_ROWS_STEP, CPU_BATCH_BYTES // row_bytes(policy)))
    if most > masks:
        return most
    most = max(_ROWS_STEP, most - most % _ROWS_STEP)
    batches = math.ceil(masks / (most - 1))
    return _padded(math.ceil(masks / batches) + 1)


def build(
    policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
) -> BatchedEngine:
    """Build with the largest batch that the memory budget allows (on a CPU: that its caches
    like)."""
    rows = batch_rows(policy, len(perturbation.masks), memory_bytes)
    return BatchedEngine(policy, perturbation, rows=rows, threads=threads)


def _has_odd_products(policy: Policy) -> bool:
    """Whether a product's rows are not a multiple of 16 bytes, so that their places' alignments
    differ."""
    return any(
        isinstance(module, torch.nn.Linear) and module.in_features % 4
        for module in policy.modules()
    )


def _padded(rows: int) -> int:
    return math.ceil(rows / _ROWS_STEP) * _ROWS_STEP
