"""docs/performance.md says what the stored results say."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from benchmarks.report import Target, flat, number, performance_page, targets, verdict

DOCS = Path(__file__).resolve().parents[2] / "docs"
FOLDER = DOCS.parent / "benchmarks"


def test_the_page_is_what_the_script_prints() -> None:
    page = (DOCS / "performance.md").read_text("utf-8")
    assert page == performance_page(), "run: python -m benchmarks.report > docs/performance.md"


def store(folder: Path, name: str, figures: dict[str, object]) -> None:
    document = {
        "command": f"python -m benchmarks.{name} --quickly",
        "figures": figures,
        "machine": {"cpu": "A Chip", "cores": 2, "load": 0.5},
        "provenance": {
            "created": "2026-01-02T03:04:05+00:00",
            "platform": "Linux",
            "python": "3.11.7",
            "versions": {"numpy": "2.0"},
        },
    }
    (folder / f"{name}.json").write_text(json.dumps(document))


def test_a_figure_below_its_target_is_called_short_and_a_missing_one_not_measured(
    tmp_path: Path,
) -> None:
    store(tmp_path, "pipeline", {"ratio": 29.4, "rounds": [1.0, 2.0]})
    page = performance_page(tmp_path)
    assert "serial way, wall | 29.4 | 30 | 60 | **falls short** | 0.5 |" in page
    assert "critic maps | not measured | 15 |  |  |  |" in page
    assert "`python -m benchmarks.pipeline --quickly`" in page
    assert "Machine: cpu A Chip, cores 2, load 0.5. 2026-01-02, Linux, Python 3.11.7" in page
    assert "rounds" not in page


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (1.9, "**falls short**"), (2.0, "reached"), (3.9, "reached"), (4, "aim reached")],
)
def test_verdicts(value: float | None, words: str) -> None:
    target = Target(benchmark="x", path=("y",), words="z", least=2, aim=4)
    assert verdict(target, value) == words


def test_nested_figures_become_rows_and_lists_are_left_out() -> None:
    figures = {"ms": {"our_way": 1.23456, "theirs": 20}, "agent": "pong", "all": [1.0]}
    assert list(flat(figures)) == [("ms: our way", "1.23"), ("ms: theirs", "20"), ("agent", "pong")]


def test_numbers_keep_three_digits() -> None:
    assert [number(v) for v in (0.000002573, 0.5, 12.345, 1234.5, 60)] == [
        "2.57e-06",
        "0.5",
        "12.3",
        "1234",
        "60",
    ]


def test_every_target_leads_to_a_stored_figure() -> None:
    stored = {path.stem: path for path in (DOCS.parent / "benchmarks" / "results").glob("*.json")}
    for target in targets():
        if target.benchmark not in stored:
            continue
        figures = json.loads(stored[target.benchmark].read_text("utf-8"))["figures"]
        for name in target.path:
            assert name in figures, target
            figures = figures[name]


@pytest.mark.parametrize("script", sorted(p.stem for p in FOLDER.glob("*.py")))
def test_every_benchmark_can_be_started(script: str) -> None:
    assert importlib.import_module(f"benchmarks.{script}").__doc__
