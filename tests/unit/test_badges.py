"""Badges: verdicts from figures, and the file they are kept in."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agentlens.badges import Figure, judge
from agentlens.errors import Corrupt
from agentlens.store.maps import MapWriter
from agentlens.store.measures import (
    MEASURES,
    Measures,
    badges_of,
    read_measures,
    write_measures,
)
from tests.store_samples import MAPS

GOOD = {
    "randomisation": Figure(estimate=0.1, low=0.0, high=0.2),
    "input-invariance": Figure(estimate=1.0, low=1.0, high=1.0),
    "logit-shift": Figure(estimate=0.999, low=0.99, high=1.0),
    "causal-rank": Figure(estimate=0.5, low=0.4, high=0.6),
    "causal-rank over energy": Figure(estimate=0.2, low=0.1, high=0.3),
    "top-region": Figure(estimate=0.4, low=0.2, high=0.6),
}


def test_nothing_measured_is_said() -> None:
    assert [badge.verdict for badge in judge({}).all] == ["not measured"] * 4
    unknown = {"causal-rank": Figure(estimate=math.nan), "top-region": Figure(estimate=1.0)}
    assert judge(unknown).causal.verdict == "not measured"


def test_good_figures_pass() -> None:
    assert [badge.verdict for badge in judge(GOOD).all] == ["pass"] * 4
    assert str(judge(GOOD).sanity) == "sanity: pass (0.10 without output layer)"


@pytest.mark.parametrize(
    ("name", "figure", "badge", "verdict"),
    [
        ("randomisation", Figure(estimate=0.8), "sanity", "fail"),
        ("randomisation", Figure(estimate=-0.5), "sanity", "weak"),
        ("input-invariance", Figure(estimate=0.95), "invariance", "weak"),
        ("logit-shift", Figure(estimate=0.2), "invariance", "fail"),
        ("causal-rank", Figure(estimate=0.05), "causal", "fail"),
        ("top-region", Figure(estimate=0.2, low=-0.1, high=0.5), "causal", "weak"),
        ("top-region", Figure(estimate=-0.2, low=-0.3, high=-0.1), "causal", "fail"),
        ("causal-rank over energy", Figure(estimate=-0.2, low=-0.3, high=-0.1), "energy", "fail"),
        ("causal-rank over energy", Figure(estimate=0.2, low=-0.3, high=0.4), "energy", "weak"),
    ],
)
def test_each_figure_decides_its_badge(name: str, figure: Figure, badge: str, verdict: str) -> None:
    assert getattr(judge({**GOOD, name: figure}), badge).verdict == verdict


def test_the_line_says_verdicts_or_that_nothing_was_measured() -> None:
    assert judge(GOOD).verdicts == "sanity pass, energy pass, invariance pass, causal pass"
    assert judge(GOOD).tally == "badges: 4 of 4 pass"
    assert judge({}).verdicts == "badges: not measured"


def test_a_map_set_without_measures_is_not_measured_and_one_in_memory_has_no_badges(
    tmp_path: Path,
) -> None:
    assert badges_of(None) is None
    empty = badges_of(tmp_path)
    assert empty is not None
    assert not empty.measured
    write_measures(tmp_path, Measures(figures=GOOD, states=4, units="x", provenance={}))
    badges = badges_of(tmp_path)
    assert badges is not None
    assert badges.causal.verdict == "pass"


def test_maps_that_are_replaced_lose_the_measures_of_the_old_ones(tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    MapWriter(folder, MAPS).close()
    write_measures(folder, Measures(figures=GOOD, states=4, units="x", provenance={}))
    MapWriter(folder, MAPS).close()
    assert read_measures(folder) is not None
    MapWriter(folder, MAPS, force=True).close()
    assert read_measures(folder) is None


def test_measures_come_back_and_notice_a_changed_bit(tmp_path: Path) -> None:
    assert read_measures(tmp_path) is None
    figures = {**GOOD, "sparseness": Figure(estimate=0.3)}
    measures = Measures(figures=figures, states=40, units="6 episodes", provenance={"a": 1})
    write_measures(tmp_path, measures)
    read = read_measures(tmp_path)
    assert read is not None
    assert read.figures["randomisation"] == GOOD["randomisation"]
    assert math.isnan(read.figures["sparseness"].low)
    assert (read.states, read.units) == (40, "6 episodes")
    path = tmp_path / MEASURES
    path.write_text(path.read_text().replace("0.1,", "0.9,", 1))
    with pytest.raises(Corrupt):
        read_measures(tmp_path)
