"""Gradient methods against Captum's implementations and the papers' own identities."""

from __future__ import annotations

import copy
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument, MissingExtra
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.methods.deeplift import DeepLift
from agentlens.saliency.methods.grad_cam import GradCam
from agentlens.saliency.methods.gradient import Gradient
from agentlens.saliency.methods.gradient_input import GradientInput
from agentlens.saliency.methods.guided_backprop import GuidedBackprop
from agentlens.saliency.methods.integrated_gradients import IntegratedGradients
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.smoothgrad import SmoothGrad
from agentlens.saliency.references import blur
from tests.planted import SmallPolicy

FACTS = RecordingFacts()

attr = pytest.importorskip("captum.attr")
SHAPE = (3, 18, 20)
ACTION = 2


@pytest.fixture(scope="module")
def policy() -> SmallPolicy:
    torch.manual_seed(5)
    chain = [nn.Conv2d(3, 4, 4, 2), nn.Conv2d(4, 8, 3, 1, 1)]
    return SmallPolicy(chain, nn.ReLU(), SHAPE).double()


@pytest.fixture(scope="module")
def frames() -> FrameBatch:
    return FrameBatch(
        observations=torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(1)).double(),
        actions=torch.tensor([ACTION]),
        states=None,
        episodes=np.zeros(1, np.int64),
        steps=np.zeros(1, np.int64),
    )


def log_probability(policy: SmallPolicy):
    return lambda x: policy(x).preferences.log_softmax(-1)


def close(found: Tensor, expected: Tensor) -> None:
    scale = expected.abs().max()
    assert scale > 0
    assert (found - expected.detach()).abs().max() <= 1e-5 * scale


def test_gradient(policy: SmallPolicy, frames: FrameBatch) -> None:
    explainer = Gradient(targets=("log_probability", "value"), planes="each").bind(
        policy, Compute(), RecordingFacts()
    )
    maps = explainer(frames).values[0]
    x = frames.observations.clone().requires_grad_()
    close(maps[0], attr.Saliency(log_probability(policy)).attribute(x, target=ACTION)[0])
    close(maps[1], attr.Saliency(lambda o: policy(o).value).attribute(x)[0])


def test_gradient_input(policy: SmallPolicy, frames: FrameBatch) -> None:
    maps = GradientInput().bind(policy, Compute(), FACTS)(frames).values[0, 0, 0]
    x = frames.observations.clone().requires_grad_()
    expected = attr.InputXGradient(log_probability(policy)).attribute(x, target=ACTION)
    close(maps, expected[0].sum(0))


@pytest.mark.parametrize("reference", ["blur:2", "constant:0.4"])
def test_integrated_gradients(policy: SmallPolicy, frames: FrameBatch, reference: str) -> None:
    method = IntegratedGradients(reference=reference, steps=40, planes="each")
    found = method.bind(policy, Compute(), FACTS)(frames).values[0, 0]
    start = blur(frames.observations, 2.0)
    if reference != "blur:2":
        start = torch.full_like(start, 0.4)
    expected = attr.IntegratedGradients(log_probability(policy)).attribute(
        frames.observations, start, target=ACTION, n_steps=40
    )
    close(found, expected[0].float())
    change = log_probability(policy)(frames.observations) - log_probability(policy)(start)
    # completeness, as far as 40 points follow the kinks of a ReLU network
    assert abs(found.sum() - change[0, ACTION]) <= 0.02 * found.abs().sum()


def test_a_small_budget_gives_the_same_integral(policy: SmallPolicy, frames: FrameBatch) -> None:
    whole = IntegratedGradients().bind(policy, Compute(), FACTS)(frames).values
    parts = IntegratedGradients().bind(policy, Compute(memory_bytes=200_000), FACTS)(frames).values
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-6 * float(whole.abs().max()))


def test_grad_cam(policy: SmallPolicy, frames: FrameBatch) -> None:
    class Layers(nn.Module):
        """The policy as a chain of modules, for Captum to hook into."""

        def __init__(self) -> None:
            super().__init__()
            first, second = policy.convolutions
            self.front = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

        def forward(self, x: Tensor) -> Tensor:
            return policy.head(self.front(x)).preferences.log_softmax(-1)

    layers = Layers()
    for layer, position in ((-1, 3), (0, 1)):
        explainer = GradCam(layer=layer, targets=("log_probability",)).bind(
            policy, Compute(), RecordingFacts()
        )
        found = explainer(frames).values[0, 0, 0]
        expected = attr.LayerGradCam(layers, layers.front[position]).attribute(
            frames.observations.clone().requires_grad_(), target=ACTION, relu_attributions=True
        )
        close(found, expected[0, 0])
    # 4 x 4 windows every 2 pixels: the first sees rows 0 to 3, whose middle is 1.5
    assert explainer.grid.rows[:2] == (1.5, 3.5)


def test_smoothgrad_without_noise_is_the_gradient(policy: SmallPolicy, frames: FrameBatch) -> None:
    smooth = SmoothGrad(noise=0.0, samples=4).bind(policy, Compute(), FACTS)(frames).values
    torch.testing.assert_close(smooth, Gradient().bind(policy, Compute(), FACTS)(frames).values)
    noisy = SmoothGrad(noise=0.2).bind(policy, Compute(), FACTS)(frames).values
    assert not torch.allclose(noisy, smooth)


def test_occlusion(policy: SmallPolicy, frames: FrameBatch) -> None:
    method = Occlusion(size=6, stride=6, targets=("log_probability",), reference="constant:0.1")
    found = method.bind(policy, Compute(), FACTS)(frames).values[0, 0, 0]
    expected = attr.Occlusion(log_probability(policy)).attribute(
        frames.observations, (3, 6, 6), strides=(3, 6, 6), target=ACTION, baselines=0.1
    )
    # Captum spreads each window's change over its pixels
    sampled = expected[0, 0, ::6, ::6]
    assert (found - sampled).abs().max() <= 1e-5 * sampled.abs().max()


def test_guided_backprop(policy: SmallPolicy, frames: FrameBatch) -> None:
    class Outputs(nn.Module):
        """The policy's log-probabilities, for Captum to hook into."""

        def __init__(self) -> None:
            super().__init__()
            self.policy = policy

        def forward(self, x: Tensor) -> Tensor:
            return self.policy(x).preferences.log_softmax(-1)

    found = GuidedBackprop(planes="each").bind(policy, Compute(), FACTS)(frames).values[0, 0]
    x = frames.observations.clone().requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = attr.GuidedBackprop(Outputs()).attribute(x, target=ACTION)
    close(found, expected[0])
    plain = Gradient(planes="each").bind(policy, Compute(), FACTS)(frames).values[0, 0]
    assert not torch.allclose(found.abs(), plain, atol=1e-3 * float(plain.max()))


def test_deeplift_sums_to_the_difference(policy: SmallPolicy, frames: FrameBatch) -> None:
    method = DeepLift(targets=("contrast", "value"), contrast="A0", reference="constant:0.4")
    found = method.bind(policy, Compute(), FACTS)(frames).values[0, :, 0].double()
    x = frames.observations
    one, other = policy(x), policy(torch.full_like(x, 0.4))
    leads = [o.preferences[0, ACTION] - o.preferences[0, 0] for o in (one, other)]
    assert float(found[0].sum()) == pytest.approx(float(leads[0] - leads[1]), rel=1e-5)
    assert float(found[1].sum()) == pytest.approx(float(one.value - other.value), rel=1e-5)


def test_deeplift_refuses_what_its_rule_does_not_cover(policy: SmallPolicy) -> None:
    shared = copy.deepcopy(policy)
    shared.activations[1] = shared.activations[0]
    with pytest.raises(InvalidArgument, match="each used once"):
        DeepLift().bind(shared, Compute(), FACTS)
    hidden = copy.deepcopy(policy)
    hidden.rectify = nn.Identity()
    hidden.linear.register_forward_hook(lambda _module, _given, after: after.square())
    with pytest.raises(InvalidArgument, match="made of layers alone"):
        DeepLift().bind(hidden, Compute(), FACTS)
    with pytest.raises(InvalidArgument, match="not linear"):
        DeepLift(targets=("log_probability",)).bind(policy, Compute(), FACTS)


def test_guided_backprop_refuses_a_policy_without_relus() -> None:
    smooth = SmallPolicy([nn.Conv2d(3, 4, 4, 2)], nn.ELU(), SHAPE, recurrent=True)
    smooth.rectify = nn.Identity()
    with pytest.raises(InvalidArgument, match="ReLU"):
        GuidedBackprop().bind(smooth, Compute(), FACTS)


def test_a_missing_captum_names_its_extra(
    policy: SmallPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(MissingExtra, match=r"agentlens\[captum\]"):
        DeepLift().bind(policy, Compute(), FACTS)
