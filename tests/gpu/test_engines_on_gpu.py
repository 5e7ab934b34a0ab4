"""The batched engine, the recorder and learning on an NVIDIA GPU, against float64 on the CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import agentlens
from agentlens.compute import Compute
from agentlens.policies.base import Policy
from agentlens.saliency.engine import batched
from agentlens.saliency.engine.base import MaskedPlanes, PerturbedOutputs
from agentlens.saliency.engine.choose import choose_engine
from agentlens.saliency.masks import gaussian_masks
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.optimise.training import TrainingPlan
from agentlens.workflows.train_masks import train_masks
from tests.planted import SmallPolicy, baby, nature

pytestmark = pytest.mark.gpu

DEVICE = "cuda"


def decided(make: Callable[[], SmallPolicy]) -> SmallPolicy:
    """With logits as far apart as a trained agent's: fresh weights leave them all but equal."""
    policy = make()
    policy.actor.weight *= 30
    return policy


MAKERS = pytest.mark.parametrize("make", [nature, baby])


def setting(policy: Policy, frames: int = 3) -> tuple[MaskedPlanes, Tensor, Tensor, Tensor | None]:
    """Masks, random observations, references and recurrent states, on the CPU."""
    generator = torch.Generator().manual_seed(3)
    masks = torch.from_numpy(gaussian_masks(policy.observation_shape[1:], 5.0, 10).masks)
    shape = (frames, *policy.observation_shape)
    states = None
    if policy.state_size:
        states = torch.randn(frames, policy.state_size, generator=generator)
    return (
        MaskedPlanes(masks=masks, selections=(tuple(range(shape[1])),)),
        torch.rand(shape, generator=generator),
        torch.rand(shape, generator=generator),
        states,
    )


def outputs(policy: Policy, device: str, *, memory_bytes: int = 1 << 30) -> PerturbedOutputs:
    """What the batched engine gives on a device; in float64 if the policy is."""
    perturbation, observations, references, states = setting(policy)
    kind = next(policy.parameters()).dtype
    placed = [None if t is None else t.to(device, kind) for t in (observations, references, states)]
    engine = batched.build(policy.to(device), perturbation, memory_bytes=memory_bytes, threads=0)
    return engine(*placed)  # type: ignore[arg-type]


def changes(found: PerturbedOutputs) -> tuple[Tensor, Tensor]:
    """By how much each mask moves logits and value, float64 on the CPU."""
    base, perturbed = found.base, found.perturbed
    assert base.value is not None
    assert perturbed.value is not None
    logits = perturbed.preferences.double() - base.preferences[:, None, None].double()
    value = perturbed.value.double() - base.value[:, None, None].double()
    return logits.cpu(), value.cpu()


@MAKERS
def test_changes_agree_with_float64(make: Callable[[], SmallPolicy]) -> None:
    policy = decided(make)
    oracle = outputs(copy.deepcopy(policy).double(), "cpu")
    rounding = 1e-6 * oracle.base.preferences.abs().max()  # of the float32 outputs themselves
    exact = changes(oracle)
    for got, wanted in zip(changes(outputs(policy, DEVICE)), exact, strict=True):
        largest = wanted.abs().flatten(1).amax(1)
        error = (got - wanted).abs().flatten(1).amax(1)
        assert (error < 1e-5 * largest + rounding).all(), (error / largest).tolist()


@MAKERS
def test_the_same_call_twice_and_other_batches_agree(make: Callable[[], SmallPolicy]) -> None:
    policy = decided(make)
    whole = outputs(policy, DEVICE)
    again = outputs(policy, DEVICE)
    assert torch.equal(whole.perturbed.preferences, again.perturbed.preferences)
    for memory_bytes in (1 << 22, 1 << 24):
        parts = outputs(policy, DEVICE, memory_bytes=memory_bytes).perturbed.preferences
        torch.testing.assert_close(parts, whole.perturbed.preferences, rtol=0, atol=2e-5)


def test_an_unperturbed_row_differs_by_exactly_nothing() -> None:
    policy = nature().to(DEVICE)
    perturbation, observations, _, _ = setting(policy)
    engine = batched.build(policy, perturbation, memory_bytes=1 << 30, threads=0)
    found = engine(observations.to(DEVICE), observations.to(DEVICE), None)
    still = found.base.preferences[:, None, None].expand_as(found.perturbed.preferences)
    assert torch.equal(found.perturbed.preferences, still)


def test_running_out_of_the_gpu_s_memory_halves_the_batch() -> None:
    policy = nature()
    calm = outputs(policy, DEVICE)
    perturbation, observations, references, _ = setting(policy)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    room = torch.cuda.memory_reserved() + (96 << 20)
    rows = 8192  # over 400 MB of observations and activations
    engine = batched.BatchedEngine(policy, perturbation, rows=rows)
    many = [t.repeat(120, 1, 1, 1).to(DEVICE) for t in (observations, references)]
    try:
        torch.cuda.set_per_process_memory_fraction((room + 2 * many[0].nbytes) / total)
        found = engine(*many, None)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert found.halvings >= 1
    assert engine.rows < rows
    torch.testing.assert_close(
        found.perturbed.preferences[:3], calm.perturbed.preferences, rtol=0, atol=2e-6
    )


def test_the_gpu_gets_the_batched_engine() -> None:
    _, name, _ = choose_engine("auto", nature().to(DEVICE))
    assert name == "batched"


def test_a_recording_from_the_gpu_replays_and_is_explained_on_the_cpu(tmp_path: Path) -> None:
    recording = agentlens.record(
        "pong-ppo",
        output=tmp_path / "x",
        play=agentlens.Play(max_steps=60, n_envs=1),
        compute=agentlens.Compute(device=DEVICE),
    )
    assert all(verdict.exact for verdict in agentlens.verify(recording))
    on_cpu = agentlens.explain(
        recording, steps=range(20, 60, 10), compute=Compute(device="cpu"), output=tmp_path / "cpu"
    )
    on_gpu = agentlens.explain(
        recording, steps=range(20, 60, 10), compute=Compute(device=DEVICE), output=tmp_path / "gpu"
    )
    largest = np.abs(on_cpu.values).max(axis=(2, 3, 4), keepdims=True)
    floor = np.array([t.noise_floor for t in on_cpu.header.targets])[:, None, None, None]
    assert (np.abs(on_cpu.values - on_gpu.values) <= 5e-5 * largest + 10 * floor).all()


def test_a_mask_network_is_learned_and_measured(tmp_path: Path) -> None:
    recording = agentlens.record(
        "pong-ppo", output=tmp_path / "x", play=agentlens.Play(max_steps=130)
    )
    trained = train_masks(
        [recording],
        tmp_path / "masks",
        method=Lan(steps=3),
        plan=TrainingPlan(teacher_frames=16, teacher_updates=2, updates=2, batch=8),
        compute=Compute(device=DEVICE),
    )
    assert [row.update for row in trained.rows] == [1, 2]
    assert trained.gate.rows["network"].kept > 0
