"""What holds for any trunk, masks and planes: the incremental engine equals brute force."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from agentlens.layer_spec import ChainSpec, LayerSpec, NetworkSpec
from agentlens.policies.architectures import linear
from agentlens.policies.base import Policy
from agentlens.policies.layers import ACTIVATIONS as ACTIVATION_KINDS
from agentlens.policies.networks import build_policy
from agentlens.saliency.engine import incremental
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.spec import ActionSpec, ObservationSpec
from tests.planted import SmallPolicy

ACTIVATIONS = (nn.ReLU(), nn.ELU(), nn.Tanh(), nn.LeakyReLU(0.2))
SOME_ACTIVATIONS = st.lists(st.sampled_from(ACTIVATION_KINDS), max_size=2)


@st.composite
def cases(draw: st.DrawFn) -> tuple[SmallPolicy, MaskedPlanes, int]:
    """A random policy in float64, masks on random boxes (some empty) and plane selections."""
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    seed = number(0, 2**16)
    torch.manual_seed(seed)
    planes, height, width = number(1, 3), number(6, 17), number(6, 17)
    convolutions, channels, size = [], planes, (height, width)
    for _ in range(number(1, 3)):
        kernel = tuple(min(number(1, 4), side) for side in size)
        stride, padding = (number(1, 3), number(1, 3)), tuple(number(0, k - 1) for k in kernel)
        out = number(1, 5)
        convolutions.append(nn.Conv2d(channels, out, kernel, stride, padding))
        size = tuple(
            (n + 2 * p - k) // s + 1
            for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
        )
        channels = out
    policy = SmallPolicy(
        convolutions,
        draw(st.sampled_from(ACTIVATIONS)),
        (planes, height, width),
        recurrent=draw(st.booleans()),
        projects=draw(st.booleans()),
    ).double()
    return policy, draw(perturbations(policy.observation_shape)), seed


@st.composite
def perturbations(draw: st.DrawFn, shape: tuple[int, int, int]) -> MaskedPlanes:
    """Masks on random boxes (some empty, some on the edge) and plane selections."""
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    planes, height, width = shape
    masks = torch.zeros(number(1, 7), height, width)
    for mask in masks:
        top, left = number(0, height), number(0, width)
        box = mask[top : top + number(0, height), left : left + number(0, width)]
        box.copy_(torch.rand(box.shape))
    selections = draw(
        st.lists(
            st.lists(st.integers(0, planes - 1), min_size=1, unique=True).map(tuple),
            min_size=1,
            max_size=3,
        )
    )
    return MaskedPlanes(masks=masks, selections=tuple(selections))


@st.composite
def layer_stacks(draw: st.DrawFn, height: int, width: int) -> list[LayerSpec]:
    """A convolution, then convolutions, pools, residual blocks and activations that fit."""
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    layers: list[LayerSpec] = []
    size, channels = (height, width), 0

    def slide(kind: str, kernel: int, padding: int, stride: int, out: int | None = None) -> None:
        nonlocal size
        layer = LayerSpec(
            kind=kind,  # type: ignore[arg-type]
            out=out,
            kernel=kernel,
            stride=stride,
            padding=padding,
        )
        layers.append(layer)
        size = tuple((n + 2 * padding - kernel) // stride + 1 for n in size)  # type: ignore[assignment]

    for index in range(number(2, 5)):
        kinds = ("conv", "max_pool", "avg_pool", "residual", *ACTIVATION_KINDS)
        kind = draw(st.sampled_from(kinds)) if index else "conv"
        kernel = number(1, min(4, *size))
        if kind == "conv":
            channels = number(1, 4)
            slide(kind, kernel, number(0, kernel - 1), number(1, 2), channels)
        elif kind.endswith("pool"):
            slide(kind, kernel, number(0, kernel // 2), number(1, 3))
        elif kind == "residual":
            start = len(layers)
            for _ in range(number(0, 2)):
                layers.extend(LayerSpec(kind=k) for k in draw(SOME_ACTIVATIONS))  # type: ignore[arg-type]
                slide("conv", *draw(st.sampled_from(((3, 1), (1, 0)))), 1, channels)
            layers.extend(LayerSpec(kind=k) for k in draw(SOME_ACTIVATIONS))  # type: ignore[arg-type]
            if start < len(layers):
                layers.append(LayerSpec(kind="add", back=len(layers) - start))
        else:
            layers.append(LayerSpec(kind=kind))  # type: ignore[arg-type]
    return layers


@st.composite
def declared_cases(draw: st.DrawFn) -> tuple[Policy, MaskedPlanes, int]:
    """A declared network with pools and residual sums, in float64, and what is masked."""
    number = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    seed, planes, height, width = number(0, 2**16), number(1, 3), number(5, 15), number(5, 15)
    layers = draw(layer_stacks(height, width))
    layers += [LayerSpec(kind="flatten"), LayerSpec(kind="linear", out=3)]
    network = NetworkSpec(
        chains=(
            ChainSpec(name="torso", layers=tuple(layers)),
            ChainSpec(name="policy", reads="torso", layers=(linear(3),), output="logits"),
            ChainSpec(name="value", reads="torso", layers=(linear(1),), output="value"),
        )
    )
    observation = ObservationSpec(
        pool="none",
        grayscale="cv2",
        resize=(height, width),
        interpolation="cv2-area",
        stack=planes,
    )
    action = ActionSpec(meanings=("A", "B", "C"), selection="greedy")
    policy = build_policy(network, observation, action, seed=seed).double()
    return policy, draw(perturbations(policy.observation_shape)), seed


def brute_force(
    policy: Policy, perturbation: MaskedPlanes, o: Tensor, r: Tensor, state: Tensor | None
) -> Tensor:
    """Logits [P, M, A] of one frame [K, H, W], one forward pass a mask."""
    found = []
    for selection in perturbation.selections:
        for mask in perturbation.masks.to(o.dtype):
            perturbed = o.clone()
            for plane in selection:
                perturbed[plane] += mask * (r[plane] - o[plane])
            found.append(policy(perturbed[None], state).preferences)
    return torch.stack(found).view(len(perturbation.selections), len(perturbation.masks), -1)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 3), st.integers(1, 3))
def test_incremental_equals_one_forward_pass_a_mask(
    case: tuple[SmallPolicy, MaskedPlanes, int], count: int, threads: int
) -> None:
    assert_equals_brute_force(*case, count, threads)


@settings(max_examples=150, deadline=None)
@given(declared_cases(), st.integers(1, 2))
def test_pools_residuals_and_activations_are_followed_to_the_last_pixel(
    case: tuple[Policy, MaskedPlanes, int], threads: int
) -> None:
    trunk = case[0].trunk()
    assert trunk is not None
    assert case[0].projection() is not None  # every declared layer is in the trunk
    assert_equals_brute_force(*case, 1, threads)


def assert_equals_brute_force(
    policy: Policy, perturbation: MaskedPlanes, seed: int, count: int, threads: int
) -> None:
    """Logits of random frames to 1e-12 in float64; bit-equal to the base where nothing is masked,
    or where a flat part of the frame leaves nothing to change."""
    generator = torch.Generator().manual_seed(seed)
    shape = (2, count, *policy.observation_shape)
    observations, references = torch.rand(shape, generator=generator, dtype=torch.float64)
    if seed % 2:
        references[..., ::3] = observations[..., ::3]
        references[..., :4, :] = observations[..., :4, :]
    states = None
    if policy.state_size:
        states = torch.randn(count, policy.state_size, generator=generator, dtype=torch.float64)
    engine = incremental.build(policy, perturbation, memory_bytes=1 << 28, threads=threads)
    got = engine(observations, references, states)
    for frame in range(count):
        state = None if states is None else states[frame : frame + 1]
        expected = brute_force(policy, perturbation, observations[frame], references[frame], state)
        torch.testing.assert_close(got.perturbed.preferences[frame], expected, rtol=0, atol=1e-12)
    same = (references == observations).all(0).all(0)
    empty = ((perturbation.masks == 0) | same).flatten(1).all(1)
    base = got.base.preferences[:, None, None].expand_as(got.perturbed.preferences)
    assert torch.equal(got.perturbed.preferences[:, :, empty], base[:, :, empty])
