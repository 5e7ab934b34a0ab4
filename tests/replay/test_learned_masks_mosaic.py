"""Learned masks where the cause is known: on the mosaic, filled with its background."""

from __future__ import annotations

import pytest

from agentlens.saliency.methods.extremal import Extremal
from agentlens.saliency.methods.fido import Fido
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.meaningful_perturbation import MeaningfulPerturbation
from agentlens.saliency.optimise.options import LearnedMaskOptions
from tests.mosaic import Mosaic, mosaic_states


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory: pytest.TempPathFactory) -> Mosaic:
    return mosaic_states(tmp_path_factory.mktemp("mosaic") / "recording")


@pytest.mark.parametrize(
    "method",
    [Lan(), MeaningfulPerturbation(), Fido()],
    ids=["lan", "meaningful-perturbation", "fido"],
)
def test_the_causal_cell_is_named(mosaic: Mosaic, method: LearnedMaskOptions) -> None:
    assert mosaic.hits(mosaic.maps(method)).mean() >= 0.75


def test_masks_of_a_tenth_cover_the_causal_cell_and_both_goals_agree(mosaic: Mosaic) -> None:
    keeps, destroys = (mosaic.maps(Extremal(goal=goal)) for goal in ("preserve", "destroy"))
    for maps in (keeps, destroys):
        assert mosaic.covers(maps).mean() >= 0.9
        assert 0.09 < maps.mean() < 0.14
    assert (mosaic.hits(keeps) & mosaic.hits(destroys)).mean() >= 0.9


def test_a_probability_is_kept_by_a_part_of_its_cause(mosaic: Mosaic) -> None:
    assert mosaic.covers(mosaic.maps(Extremal(targets=("kl",)))).mean() < 0.8


def test_too_dear_an_area_leaves_the_cause_out(mosaic: Mosaic) -> None:
    dear, cheap = (
        mosaic.hits(mosaic.maps(MeaningfulPerturbation(fill="blur", area=area)))
        for area in (2.0, 0.5)
    )
    assert dear.mean() < 0.5 < cheap.mean()
