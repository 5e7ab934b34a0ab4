"""docs/trust.md says what the stored figures say."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import trust, trust_learned
from benchmarks.trust import made_before
from benchmarks.trust_page import BEGIN, END, PAGE, part, stored, whole, written


def test_the_measured_parts_are_what_the_script_prints() -> None:
    page = PAGE.read_text("utf-8")
    assert page == whole(page), "run: python -m benchmarks.trust_page --write"


def test_aims_of_learned_masks_are_told_from_the_figures() -> None:
    row = {"ball": 9.0, "ball_decided": 8.0, "keeps": 0.8, "keeps_median": 0.8, "ghosts": 0.1}
    rows = {
        "lan, found for each state": row,
        "lan, of the policy drawn anew": {**row, "ball": 1.0, "keeps": 0.6},
        "random": {**row, "ball": 1.0, "keeps": 0.6, "keeps_median": 0.7},
    }
    text = trust_learned.part({"a": {"states": 3, "decided": 2, "rows": rows}})
    assert "| lan, found for each state | 9.0 | 8.0 | .80 | .80 | .10 |" in text
    assert "| random | 1.0 | 8.0 | .60 | .70 |  |" in text
    assert "reached (9.0; drawn anew 1.0)" in text
    assert "reached (+0.200) with others, **falls short** (+0.100) with the median" in text


def test_a_difference_that_holds_0_is_not_told_and_missing_parts_are_left_out() -> None:
    arms = {
        "untouched": {"return": [20.0, 19.0, 21.0], "difference": None, "kl": None},
        "court hidden": {
            "return": [-20.0, -21, -19],
            "difference": [-40.0, -41.0, -39.0],
            "kl": [0.5, 0.4, 0.6],
        },
        "score hidden": {
            "return": [19.5, 19, 20],
            "difference": [-0.5, -2.0, 1.0],
            "kl": [0.004, 0.0, 0.01],
        },
    }
    figures = {
        "a": {"interventions": {"repeats": 3, "arms": arms}},
        "b": {"decisive": {"asked": 9, "decisive": 0}},
    }
    text = part(figures)
    assert "| a, 3 | untouched | +20.0 |  |  |" in text
    assert "|  | court | -20.0 | -40.0 (-41.0 to -39.0) | 0.500 |" in text
    assert "-0.5 (-2.0 to +1.0): cannot tell" in text
    assert "| b | 0 of 9 | none | | | | | |" in text
    assert "**a**" not in text


def test_only_the_part_between_the_marks_is_replaced() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    assert written(page, "new\n") == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"


OF_BEFORE = {
    "figures": {"slow": {"rows": {"lan": {}, "fido": {}}}, "measures": {}},
    "command": "python -m benchmarks.trust recordings --agents a --parts slow --slow fido",
    "machine": {"cores": 2},
    "provenance": {"python": "3.11"},
}


def test_the_stamp_of_a_file_of_before_is_of_what_its_command_names_alone() -> None:
    made = made_before(OF_BEFORE)
    assert list(made) == ["slow fido"]
    assert made["slow fido"]["command"] == OF_BEFORE["command"]
    assert made_before({}) == {}


def test_a_part_that_is_made_again_changes_its_own_command_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(OF_BEFORE))
    monkeypatch.setattr(trust, "FOLDER", tmp_path)
    for name in ("recording_of", "load_agent"):
        monkeypatch.setattr(trust, name, lambda *_: None)
    monkeypatch.setattr(trust, "part_of", lambda *_: {"new": 1})
    for again in ("measures", "decisive"):
        words = ["benchmarks/trust.py", "recordings", "--agents", "a", "--parts", again]
        monkeypatch.setattr(sys, "argv", words)
        trust.main()
    document = json.loads((tmp_path / "a.json").read_text())
    commands = {piece: made["command"] for piece, made in document["made"].items()}
    assert commands == {
        "slow fido": OF_BEFORE["command"],
        "measures": "python -m benchmarks.trust recordings --agents a --parts measures",
        "decisive": "python -m benchmarks.trust recordings --agents a --parts decisive",
    }
    assert stored(tmp_path)["a"]["slow"] == {"rows": {"lan": {}, "fido": {}}}
    assert stored(tmp_path)["a"]["measures"]["new"] == 1
