"""What metrics share: ranks by hand, pixels of a map, layers that forget, twins."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from agentlens.compute import Compute
from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.metrics._edges import edge_maps
from agentlens.metrics._pixels import to_pixels, top_pixels
from agentlens.metrics._randomised import cascade, stages
from agentlens.metrics._ranks import gini, partial, spearman, structural_similarity
from agentlens.metrics._recorded import bind
from agentlens.metrics._twins import ShiftedInput, ShiftedLogits
from agentlens.network.edits import EditedPolicy
from agentlens.network.students import Student, StudentPlan
from agentlens.policies.networks import build_policy
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.spec import ActionSpec, GridSpec, ObservationSpec
from tests.planted import SmallPolicy


def _policy() -> SmallPolicy:
    torch.manual_seed(0)
    return SmallPolicy([nn.Conv2d(2, 3, 3, stride=2)], nn.ReLU(), (2, 12, 12))


def test_spearman_by_hand() -> None:
    first = np.array([[1.0, 2, 3, 4], [1, 1, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]])
    second = np.array([[4.0, 3, 2, 1], [1, 1, 2, 2], [1, 2, 3, 4], [0, 0, 0, 0]])
    values = spearman(first, second)
    assert values[:2].tolist() == [-1.0, 1.0]
    assert np.isnan(values[2])
    assert values[3] == 1.0


def test_partial_takes_off_what_a_third_explains() -> None:
    generator = np.random.default_rng(0)
    energy = generator.random((1, 400))
    both = [energy + 0.1 * generator.random((1, 400)) for _ in range(2)]
    assert spearman(*both)[0] > 0.9
    assert abs(partial(*both, energy)[0]) < 0.2


def test_gini_and_ssim_ends() -> None:
    assert gini(np.array([[0.0, 0, 0, 1]]))[0] == 0.75
    maps = np.random.default_rng(0).random((2, 8, 8))
    np.testing.assert_allclose(structural_similarity(maps, 3 * maps), 1.0)
    assert structural_similarity(maps[:1], maps[1:])[0] < 0.5


def test_pixels_keep_the_true_centres() -> None:
    grid = GridSpec(rows=(2.0, 7.0), columns=(2.0, 7.0), observation=(10, 10))
    pixels = to_pixels(np.array([[[1.0, 0], [0, 0]]]), grid)
    assert pixels.shape == (1, 10, 10)
    assert pixels[0, 2, 2] == 1.0
    assert pixels[0, 0, 0] == 1.0
    assert pixels[0, 7, 7] == 0.0
    np.testing.assert_allclose(pixels[0, 2, 4], 0.6)
    top = top_pixels(pixels, 0.09)
    assert top.sum() == 9
    assert top[0, :3, :3].all()


def test_output_layers_forget_first_and_nothing_else_does() -> None:
    policy = _policy()
    assert set(stages(policy)[0]) == {"actor", "critic"}
    first = next(cascade(policy, seed=1))
    assert torch.equal(first.linear.weight, policy.linear.weight)
    assert not torch.equal(first.actor.weight, policy.actor.weight)
    last = list(cascade(policy, seed=1))[-1]
    assert not torch.equal(last.convolutions[0].weight, policy.convolutions[0].weight)
    again = list(cascade(policy, seed=1))[-1]
    assert torch.equal(last.convolutions[0].weight, again.convolutions[0].weight)


def test_both_halves_of_a_dueling_network_forget_first() -> None:
    spec = ObservationSpec(
        pool="none", grayscale="cv2", resize=(12, 10), interpolation="cv2-area", stack=1
    )
    halves = tuple(
        ChainSpec(
            name=name,
            reads="torso",
            layers=(
                LayerSpec(kind="linear", out=5),
                LayerSpec(kind="relu"),
                LayerSpec(kind="linear", out=out),
            ),
            output=name,
        )
        for name, out in (("advantage", 3), ("state_value", 1))
    )
    torso = ChainSpec(name="torso", layers=(LayerSpec(kind="flatten"),))
    actions = ActionSpec(meanings=("NOOP", "LEFT", "RIGHT"), selection="greedy", reason="a test")
    policy = build_policy(NetworkSpec(chains=(torso, *halves)), spec, actions)
    assert stages(policy) == [["chains.2.2", "chains.1.2"], ["chains.2.0"], ["chains.1.0"]]
    first = next(cascade(policy, seed=1))
    observation = torch.rand(2, 1, 12, 10)
    kept, lost = (p(observation).preferences for p in (policy, first))
    gaps = (kept - kept.mean(1, keepdim=True)) - (lost - lost.mean(1, keepdim=True))
    assert float(gaps.abs().max()) > 0.01


def test_twins_do_the_same() -> None:
    policy = _policy()
    observation = torch.rand(3, 2, 12, 12)
    base = policy(observation).preferences
    shifted = ShiftedInput(policy, 0.25)(observation + 0.25).preferences
    torch.testing.assert_close(shifted, base, rtol=0, atol=1e-5)
    twin = ShiftedLogits(policy, 40.0)(observation).preferences
    torch.testing.assert_close(twin.softmax(-1), base.softmax(-1), rtol=0, atol=1e-5)
    assert (twin - base).abs().min() > 5


def test_what_stands_for_a_policy_of_colours_has_its_frames() -> None:
    spec = ObservationSpec(
        pool="none",
        grayscale="none",
        channels=3,
        resize=(36, 40),
        interpolation="cv2-area",
        stack=2,
    )
    chain = ChainSpec(
        name="torso",
        layers=(LayerSpec(kind="flatten"), LayerSpec(kind="linear", out=3)),
        output="logits",
    )
    actions = ActionSpec(meanings=("NOOP", "LEFT", "RIGHT"), selection="sample")
    policy = build_policy(NetworkSpec(chains=(chain,)), spec, actions)
    method = Perturbation(planes="each", stride=12)
    blank = np.zeros((3, 36, 40), np.float32)
    grid = bind(method, policy, blank, Compute(threads=1))
    stands = [
        ShiftedInput(policy, 0.25),
        ShiftedLogits(policy, 40.0),
        EditedPolicy(policy, []),
        Student(policy, StudentPlan(kind="cam")),
    ]
    for other in stands:
        assert bind(method, other, blank, Compute(threads=1)).planes == grid.planes


def test_edges_of_a_colour_frame_are_of_all_its_colours() -> None:
    observations = torch.zeros(1, 6, 24, 24)
    observations[0, 3, :, 12:] = 1.0  # red of the newer frame
    observations[0, 2, 12:] = 1.0  # blue of the older one
    maps, grid = edge_maps(observations, 3)
    columns = maps[0].sum(0)
    assert abs(grid.columns[int(columns.argmax())] - 12) <= 4
    np.testing.assert_allclose(maps[0], maps[0][:1].repeat(len(grid.rows), 0), atol=1e-9)
    assert columns.max() > 0
