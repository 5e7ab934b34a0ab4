"""docs/trust.md says what the stored figures say."""

from __future__ import annotations

from benchmarks import trust_learned
from benchmarks.trust_page import BEGIN, END, PAGE, part, whole, written


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
