"""Lengths follow the scale of the observation, and a mask says how much it hides."""

from __future__ import annotations

import dataclasses

import pytest

from agentlens.errors import InvalidArgument
from agentlens.saliency.base import METHODS
from agentlens.saliency.methods.gradient import Gradient
from agentlens.saliency.methods.occlusion import Occlusion
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.methods.rise import Rise

LENGTHS = ("radius", "stride", "size", "cell_px")


def test_lengths_follow_the_scale() -> None:
    assert Perturbation(reference="blur").rescaled(48 / 84) == Perturbation(
        radius=2.857, stride=3, reference="blur:1.714"
    )
    several = Perturbation(radius=(3.0, 5.0), reference="median").rescaled(2.0)
    assert several == Perturbation(radius=(6.0, 10.0), stride=10, reference="median")
    assert Occlusion(size=3, stride=1).rescaled(0.4) == Occlusion(size=1, stride=1)
    assert Gradient().rescaled(3.0) is not None
    assert Gradient().rescaled(3.0) == Gradient()


def test_masks_hide_as_much_of_the_screen_at_every_scale() -> None:
    for radius in (3.0, 5.0):
        large, small = Perturbation(radius=radius), Perturbation(radius=radius).rescaled(48 / 84)
        rows = [210 * method.footprint((s, s)) / s for method, s in ((large, 84), (small, 48))]
        assert rows[0] == pytest.approx(rows[1], rel=1e-3)
        assert rows[0] == pytest.approx(2.5 * radius)


@pytest.mark.parametrize("name", METHODS.names())
def test_no_option_that_is_a_length_is_left_behind(name: str) -> None:
    method = METHODS.load(name)()
    assert method.rescaled(1.0) is method
    twice = method.rescaled(2.0)
    for field in dataclasses.fields(method):
        before, after = getattr(method, field.name), getattr(twice, field.name)
        if field.name in LENGTHS:
            assert after == pytest.approx(2 * before), field.name
        elif field.name in ("reference", "fill") and before.startswith("blur"):
            assert after != before
        else:
            assert after == before


def test_what_is_hidden_has_a_size() -> None:
    assert Perturbation(radius=(2.0, 4.0)).footprint((84, 84)) == 4.0
    assert Occlusion(size=7).footprint((84, 84)) == 7.0
    assert Rise(cells=7).footprint((84, 84)) == 12.0
    assert Gradient().footprint((84, 84)) is None


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_scale_is_refused(factor: float) -> None:
    with pytest.raises(InvalidArgument, match="a scale of"):
        Perturbation().rescaled(factor)
