"""What holds for any convolution chain, masks and planes: the engine equals brute force."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from agentlens.saliency.engine import incremental
from agentlens.saliency.engine.base import MaskedPlanes
from tests.planted import SmallPolicy

ACTIVATIONS = (nn.ReLU(), nn.ELU(), nn.Tanh(), nn.LeakyReLU(0.2))


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
    return policy, MaskedPlanes(masks=masks, selections=tuple(selections)), seed


def brute_force(
    policy: SmallPolicy, perturbation: MaskedPlanes, o: Tensor, r: Tensor, state: Tensor | None
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
    policy, perturbation, seed = case
    generator = torch.Generator().manual_seed(seed)
    shape = (2, count, *policy.observation_shape)
    observations, references = torch.rand(shape, generator=generator, dtype=torch.float64)
    states = None
    if policy.state_size:
        states = torch.randn(count, policy.state_size, generator=generator, dtype=torch.float64)
    engine = incremental.build(policy, perturbation, memory_bytes=1 << 28, threads=threads)
    got = engine(observations, references, states)
    for frame in range(count):
        state = None if states is None else states[frame : frame + 1]
        expected = brute_force(policy, perturbation, observations[frame], references[frame], state)
        torch.testing.assert_close(got.perturbed.preferences[frame], expected, rtol=0, atol=1e-12)
    empty = (perturbation.masks == 0).flatten(1).all(1)
    base = got.base.preferences[:, None, None].expand_as(got.perturbed.preferences)
    assert torch.equal(got.perturbed.preferences[:, :, empty], base[:, :, empty])
