"""Mask networks: how they begin, learn, are held against what they stand for, and are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.optimise.explainer import LearnedMaskExplainer
from agentlens.saliency.optimise.network import MaskNetwork, MaskNetworkSpec
from agentlens.saliency.optimise.solver import MaskTask
from agentlens.saliency.optimise.training import TrainingPlan, start_training
from agentlens.workflows.mask_gate import bind_gate, measure_gate, rank_agreement
from tests.tiny import LinearPolicy

SHAPE = (2, 20, 24)
FACTS = RecordingFacts(
    pictures={
        "median": np.zeros(SHAPE[1:], np.float32),
        "frames": np.random.default_rng(2).random((5, *SHAPE), np.float32),
    }
)
SPEC = MaskNetworkSpec(observation=SHAPE, state=0, selections=1, cells=(5, 6), channels=4)


def planted(fill: str = "median") -> MaskTask:
    """What is wanted of masks for a policy that looks at one cell of the newest plane."""
    weights = torch.zeros(2, *SHAPE)
    weights[0, 1, 8:12, 12:16] = 0.5
    method = Lan(beta=0.5, steps=3, fill=fill)
    explainer = method.bind(LinearPolicy(weights), Compute(), FACTS)
    assert isinstance(explainer, LearnedMaskExplainer)
    return explainer.tasks[0]


def frames(count: int = 3) -> FrameBatch:
    generator = torch.Generator().manual_seed(3)
    return FrameBatch(
        observations=torch.rand(count, *SHAPE, generator=generator) * 0.6 + 0.4,
        actions=torch.zeros(count, dtype=torch.int64),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
    )


class _DrawnWhereTheGeneratorIs(TorchDispatchMode):
    """Refuses what CUDA refuses and the meta device does not: a draw by another device's
    generator."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        generator = (kwargs or {}).get("generator")
        if generator is not None:
            assert generator.device.type == result.device.type, func
        return result


def test_fresh_weights_are_drawn_on_the_cpu_wherever_the_network_is() -> None:
    plan = TrainingPlan(seed=3)
    elsewhere = MaskNetwork(SPEC).to("meta")
    with _DrawnWhereTheGeneratorIs():
        start_training(planted(), elsewhere, plan)
    here, again = (MaskNetwork(SPEC) for _ in range(2))
    for network in (here, again):
        start_training(planted(), network, plan)
    assert torch.equal(here.inwards.weight, again.inwards.weight)
    fan_in = 2 * 8 * 8
    assert abs(float(here.inwards.weight.detach().std()) - (2 / fan_in) ** 0.5) < 0.02


@pytest.mark.parametrize("fill", ["frames", "cells", "uniform", "median", "blur:2"])
def test_a_gate_is_measured_with_every_fill(fill: str) -> None:
    """Places are hidden one by one with the median where the fill is drawn."""
    task = planted(fill)
    methods = bind_gate(task, Compute(threads=1), FACTS)
    network = MaskNetwork(SPEC).eval().requires_grad_(False)
    gate = measure_gate(task, methods, network, frames())
    assert gate.frames == 3
    assert gate.rows["perturbation"].kept > gate.rows["random"].kept


def test_maps_that_share_nothing_but_their_zeros_do_not_agree() -> None:
    """Pixels that tie share their rank: of 480, two of one pixel each correlate by -1 / 479."""
    first, second, flat = torch.zeros(3, 1, 20, 24)
    first[0, 2, 3] = 1.0
    second[0, 15, 20] = 1.0
    assert rank_agreement(first, second) == pytest.approx(-1 / 479)
    assert rank_agreement(first, 3 * first) == pytest.approx(1.0)
    assert rank_agreement(first, flat) == 0.0
    both = torch.cat([first, first]), torch.cat([first, flat])
    assert rank_agreement(*both) == pytest.approx(0.5)


def test_the_gate_is_bound_with_the_engine_that_is_asked_for() -> None:
    methods = bind_gate(planted(), Compute(engine="reference"), FACTS)
    for explainer in (methods.perturbation, methods.greydanus):
        assert explainer.engine == "reference: asked for"


def test_a_coloured_background_is_taken_off_every_frame_of_the_stack() -> None:
    """Two frames of three colours: where both are the background, nothing is seen."""
    spec = MaskNetworkSpec(
        observation=(6, 20, 24), state=0, selections=1, cells=(5, 6), channels=4, colours=3
    )
    network = MaskNetwork(spec).eval().requires_grad_(False)
    seen = torch.rand(3, 20, 24, generator=torch.Generator().manual_seed(1))
    blank = network(torch.zeros(1, 6, 20, 24), None)
    network.background.copy_(seen)
    torch.testing.assert_close(network(torch.cat([seen, seen])[None], None), blank)
    with pytest.raises(InvalidArgument, match="a number that divides them"):
        MaskNetworkSpec(observation=(4, 20, 24), state=0, selections=1, cells=(5, 6), colours=3)
