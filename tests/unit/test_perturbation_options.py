"""Several radii, interactions between planes, previews and the published geometry, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agentlens.compute import Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.configure import options_of
from agentlens.saliency.methods.greydanus import Greydanus
from agentlens.saliency.methods.greydanus.published import stretched_centres
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.references import blur, parse_reference
from tests.planted import SmallPolicy
from tests.tiny import LinearPolicy

FACTS = RecordingFacts()

ONE = Compute(threads=1)


def batch(shape: tuple[int, int, int], count: int = 2) -> FrameBatch:
    observations = torch.rand(count, *shape, generator=torch.Generator().manual_seed(2))
    return FrameBatch(
        observations=observations,
        actions=torch.zeros(count, dtype=torch.int64),
        states=None,
        episodes=np.zeros(count, np.int64),
        steps=np.arange(count),
    )


def convolutional(shape: tuple[int, int, int]) -> SmallPolicy:
    torch.manual_seed(4)
    return SmallPolicy([nn.Conv2d(shape[0], 4, 4, 2)], nn.ReLU(), shape)


class Product(Policy):
    """A critic that multiplies two frames: V = o[0, 0, 0] x o[1, 0, 0]; nothing else matters."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_shape, self.action_meanings = (2, 2, 2), ("NOOP", "FIRE")
        self.kind, self.has_value, self.state_size = "logits", True, 0
        self.register_buffer("still", torch.zeros(2))

    def forward(self, observation: Tensor, state: Tensor | None = None) -> PolicyOutput:
        del state
        logits = self.still.expand(len(observation), 2)
        return PolicyOutput(logits, "logits", observation[:, 0, 0, 0] * observation[:, 1, 0, 0])


def test_several_radii_give_the_maps_of_each_from_one_base_pass() -> None:
    shape = (3, 20, 22)
    policy, frames = convolutional(shape), batch(shape)
    both = Perturbation(radius=(2.0, 3.5), planes="each", reference="blur").bind(policy, ONE, FACTS)
    names = [info.name for info in both.targets]
    assert names == ["kl@2", "kl@3.5", "value_l2@2", "value_l2@3.5", "energy@2", "energy@3.5"]
    maps = both(frames).values
    passes = []
    for index, radius in enumerate((2.0, 3.5)):
        single = Perturbation(radius=radius, planes="each", reference="blur").bind(
            policy, ONE, FACTS
        )
        passes.append(single.forward_passes)
        assert [info.name for info in single.targets] == ["kl", "value_l2", "energy"]
        torch.testing.assert_close(maps[:, index::2], single(frames).values, rtol=1e-4, atol=1e-8)
    assert both.forward_passes == sum(passes) - 1


@pytest.mark.parametrize("radii", [(), (2.0, 2.0), (3.0, 0.0)])
def test_impossible_radii_are_refused(radii: tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgument):
        Perturbation(radius=radii).bind(convolutional((1, 20, 20)), ONE, FACTS)


def test_the_interaction_of_a_product_by_hand() -> None:
    observation = torch.zeros(1, 2, 2, 2)
    observation[0, 0, 0, 0], observation[0, 1, 0, 0] = 3.0, 5.0
    frames = FrameBatch(
        observations=observation,
        actions=torch.tensor([0]),
        states=None,
        episodes=np.array([0]),
        steps=np.array([0]),
    )
    method = Perturbation(
        planes="each",
        targets=("value", "value interaction"),
        radius=0.1,
        stride=2,
        grid="published",
        reference="constant:0",
    )
    explainer = method.bind(Product(), Compute(engine="reference", threads=1), FACTS)
    maps = explainer(frames).values[0, :, :, 0, 0]
    # hiding either frame, or both, leaves 0 of 15: 15 - (15 + 15)
    assert maps.tolist() == [[15.0, 15.0], [-15.0, -15.0]]
    assert explainer.targets[1].signed
    assert explainer.targets[1].unit == "value"
    assert explainer.forward_passes == 1 + 3


def test_a_linear_policy_has_no_interaction() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 2, 12, 12, generator=generator)
    policy = LinearPolicy(weights, None, torch.randn(2, 12, 12, generator=generator)).double()
    names = ("value", "value interaction", "contrast interaction", "energy")
    maps = (
        Perturbation(planes="each", targets=names, reference="blur")
        .bind(policy, ONE, FACTS)(batch((2, 12, 12)))
        .values
    )
    assert maps[:, 0].abs().max() > 0.01
    assert maps[:, 1:3].abs().max() < 1e-12


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"targets": ("kl interaction",), "planes": "each"}, "not linear"),
        ({"targets": ("value interaction",)}, "planes 'each'"),
        ({"targets": ("value interaction",) * 2, "planes": "each"}, "twice"),
        ({"targets": ("value", "value"), "planes": "each"}, "twice"),
    ],
)
def test_interactions_without_meaning_are_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        Perturbation(**options).bind(convolutional((3, 20, 20)), ONE, FACTS)


def test_interactions_refuse_what_is_not_linear_in_the_outputs() -> None:
    weights = torch.ones(3, 2, 12, 12)
    policy = LinearPolicy(weights, kind="q_values")
    value = Perturbation(targets=("value interaction",), planes="each", reference="blur")
    with pytest.raises(InvalidArgument, match="not linear"):
        value.bind(policy, ONE, FACTS)
    merged = RecordingFacts(action_groups=((0, 1), (2,)))
    together = Perturbation(targets=("q_value interaction",), planes="each", merge_actions=True)
    with pytest.raises(InvalidArgument, match="merg"):
        together.bind(policy, ONE, merged)
    with pytest.raises(InvalidArgument, match="1 frames"):
        Perturbation(targets=("value interaction",), planes="each", reference="blur").bind(
            convolutional((1, 20, 20)), ONE, FACTS
        )


def test_a_preview_is_the_map_of_twice_the_stride() -> None:
    shape = (2, 40, 40)
    policy, frames = convolutional(shape), batch(shape)
    preview = Perturbation(preview=True, reference="blur").bind(policy, ONE, FACTS)
    coarse = Perturbation(stride=10, reference="blur").bind(policy, ONE, FACTS)
    assert preview.grid == coarse.grid
    assert preview.forward_passes == 17
    assert torch.equal(preview(frames).values, coarse(frames).values)


def test_the_published_code_stretches_an_array_with_an_empty_edge() -> None:
    shape = (1, 80, 80)
    policy, frames = convolutional(shape), batch(shape, 1)
    explainer = Greydanus(as_published=True).bind(policy, ONE, FACTS)
    maps = explainer(frames).values[0, :, 0]
    assert maps.shape == (2, 17, 17)
    assert explainer.grid.shape == (17, 17)
    assert (maps[:, 16] == 0).all()
    assert (maps[:, :, 16] == 0).all()
    plain = Greydanus().bind(policy, ONE, FACTS)
    assert torch.equal(maps[:, :16, :16], plain(frames).values[0, :, 0])
    shift = np.array(explainer.grid.rows[:16]) - np.array(plain.grid.rows)
    assert shift[0] == pytest.approx(0.5 * 80 / 17 - 0.5)
    assert shift[15] == pytest.approx(15.5 * 80 / 17 - 0.5 - 75)
    assert 2.5 < np.abs(shift).max() < 3


def test_where_the_stride_does_not_divide_the_size_the_array_is_full() -> None:
    assert len(stretched_centres(84, 5)) == 17 == len(range(0, 84, 5))
    explainer = Greydanus(as_published=True).bind(convolutional((1, 84, 84)), ONE, FACTS)
    assert explainer(batch((1, 84, 84), 1)).values.shape[-2:] == (17, 17)


def test_the_published_geometry_needs_the_published_grid() -> None:
    with pytest.raises(InvalidArgument, match="published"):
        Greydanus(as_published=True, grid="centred")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("blur", "blur:3"),
        ("blur:3.0", "blur:3"),
        ("blur:0.1", "blur:0.1"),
        ("constant", "constant:0"),
        ("constant:-1e-7", "constant:-1e-07"),
        ("noise:9007199254740991", "noise:9007199254740991"),
        ("median", "median"),
    ],
)
def test_an_option_written_in_two_ways_is_kept_in_one(given: str, kept: str) -> None:
    options = options_of(Perturbation(reference=given))
    assert options["reference"] == kept
    assert options_of(Perturbation(reference=kept)) == options
    assert parse_reference(kept) == parse_reference(given)


def test_a_flat_place_is_its_own_blur() -> None:
    """To the bit: what a frame does not change is left out by that."""
    values = torch.rand(40, generator=torch.Generator().manual_seed(5))
    flat = values[:, None, None, None].expand(40, 1, 50, 50).contiguous()
    assert torch.equal(blur(flat, 3.0), flat)
    flat[:, :, 20, 20] = 1
    changed = blur(flat, 3.0) != flat
    assert not changed[:, :, :8].any()
    assert changed[:, :, 9:32, 9:32].any(0).all()


def test_published_pictures_and_several_radii_go_together() -> None:
    policy = convolutional((1, 20, 20))
    method = Greydanus(radius=(2.0, 3.0), as_published=True)
    explainer = method.bind(policy, ONE, FACTS)
    names = [target.name for target in explainer.targets]
    assert names == ["logit_l2@2", "logit_l2@3", "value_l2@2", "value_l2@3"]
    maps = explainer(batch((1, 20, 20))).values
    assert maps.shape == (2, 4, 1, 5, 5)
    for radius, index in ((2.0, 0), (3.0, 1)):
        single = Greydanus(radius=radius, as_published=True).bind(policy, ONE, FACTS)
        alone = single(batch((1, 20, 20))).values
        torch.testing.assert_close(maps[:, index], alone[:, 0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("radius", [0, -2.0, float("nan"), float("inf"), (3.0, 0.0)])
def test_a_radius_that_is_none_is_refused_as_a_radius(radius: float | tuple[float, ...]) -> None:
    with pytest.raises(InvalidArgument, match=r"^radius \S+: expected a number, more than 0\.$"):
        Perturbation(radius=radius)


def test_a_radius_far_beyond_the_observation_is_refused_as_a_radius() -> None:
    with pytest.raises(InvalidArgument, match=r"^radius 5000: .* at most 2000 pixels.*20 x 22\.$"):
        Perturbation(radius=5000).discs(convolutional((3, 20, 22)))


@pytest.mark.parametrize("stride", [0, -5, "5", 2.5])
def test_a_stride_that_is_no_whole_number_is_refused(stride: object) -> None:
    with pytest.raises(InvalidArgument, match=r"^stride \S+: expected a whole number from 1\.$"):
        Perturbation(stride=stride)  # type: ignore[arg-type]
