"""Every registered comparison measure: its words, its columns, what it computes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentlens.comparison.behaviour import behaviour
from agentlens.comparison.measure import (
    MEASURES,
    SUBJECTS,
    Measure,
    measures_markdown,
    measures_of,
)
from agentlens.comparison.outputs import SharedStates, shared_states
from agentlens.comparison.page_tables import actions_section
from agentlens.comparison.screen_maps import SharedMaps, aligned_maps, to_screen_maps
from agentlens.comparison.words import definitions
from tests.compare_report_samples import comparison
from tests.compare_samples import AGENT, maps, random_games, write

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> SharedStates:
    folder = tmp_path_factory.mktemp("states")
    own = write(folder / "own", random_games(0))
    visit = write(folder / "visit", random_games(1), player="A")
    return shared_states(own, "A", visit, "B", own_first=True)


@pytest.fixture(scope="module")
def shared() -> SharedMaps:
    energy = np.random.default_rng(0).exponential(size=(12, 7, 6))
    values = np.random.default_rng(1).exponential(size=(2, 12, 7, 6))
    first, second = (
        to_screen_maps(
            maps(v, energy=energy, episodes=[0] * 6 + [1] * 6), "actor", AGENT.observation
        )
        for v in values
    )
    assert first is not None
    assert second is not None
    return aligned_maps(first, second, labels=("A", "B"), states_of="A", role="actor")


@pytest.mark.parametrize("name", MEASURES.names())
def test_a_measure_is_finite_and_of_its_shape(
    name: str, states: SharedStates, shared: SharedMaps
) -> None:
    measure = MEASURES.load(name)
    pair: Any = states if measure.subject == "actions" else shared
    values, figures = measure.values(pair), measure.figures(pair)
    assert set(values) == set(figures) == set(measure.names)
    for column in values.values():
        assert len(column) == len(pair.episodes)
        assert np.isfinite(column).all()
        assert column.ndim == 1 or column.shape[1] == 2
        if measure.unit == "share":
            assert column.min() >= 0
            assert column.max() <= 1
    for figure in figures.values():
        assert figure is not None
        assert figure.low <= figure.estimate <= figure.high
    swapped = measure.figures(pair.swapped())
    if measure.columns:
        assert swapped[measure.names[0]] == figures[measure.names[1]]


def test_columns_and_headings_are_there_once_and_the_page_of_docs_holds_every_measure() -> None:
    everything = [m for subject in SUBJECTS for m in measures_of(subject)]
    assert len(everything) == len(MEASURES.names())
    for attribute in ("key", "heading"):
        assert len({getattr(m, attribute) for m in everything}) == len(everything)
    for subject in SUBJECTS:
        columns = [name for m in measures_of(subject) for name in m.names]
        assert len(set(columns)) == len(columns)
    assert measures_markdown() in (DOCS / "compare.md").read_text()


def both_certain(shared: SharedStates) -> np.ndarray | None:
    p, q = shared.first_outputs.probabilities, shared.second_outputs.probabilities
    return None if p is None or q is None else (np.minimum(p.max(1), q.max(1)) > 0.9) * 1.0


@pytest.fixture
def from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another package, installed on the path, with one file and one entry point."""
    (tmp_path / "their_measure.py").write_text(
        "from agentlens.comparison.measure import Measure\n"
        "from tests.contracts.test_measures import both_certain\n"
        "MEASURE = Measure(key='both_certain', heading='both certain', unit='share',\n"
        "    subject='actions', definition='Share of states in which both are certain.',\n"
        "    compute=both_certain, order=200)\n"
    )
    info = tmp_path / "their-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[agentlens.measures]\nboth-certain = their_measure:MEASURE\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    measures_of.cache_clear()
    yield
    measures_of.cache_clear()


@pytest.mark.usefixtures("from_elsewhere")
def test_a_measure_of_another_package_reaches_tables_page_and_definitions(
    states: SharedStates, tmp_path: Path
) -> None:
    assert "both-certain" in MEASURES.names()
    measure: Measure[Any] = MEASURES.load("both-certain")
    assert behaviour(states).figures["both_certain"] == measure.figures(states)["both_certain"]
    (tmp_path / "games").mkdir()
    whole = comparison(tmp_path / "games")
    assert "both_certain_low" in whole.tables["behaviour"]
    assert "both certain" in actions_section(whole)
    assert definitions()["both certain"].startswith("Share of states")
