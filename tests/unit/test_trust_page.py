"""docs/trust.md says what the stored figures say."""

from __future__ import annotations

from benchmarks.trust_page import BEGIN, END, PAGE, part, stored, written


def test_the_measured_part_is_what_the_script_prints() -> None:
    page = PAGE.read_text("utf-8")
    assert page == written(page, part(stored())), "run: python -m benchmarks.trust_page --write"


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
    assert "| b | 0 of 9 | none | | | |" in text
    assert "**a**" not in text


def test_only_the_part_between_the_marks_is_replaced() -> None:
    page = f"above\n{BEGIN}\nold\n{END}\nbelow\n"
    assert written(page, "new\n") == f"above\n{BEGIN}\nnew\n{END}\nbelow\n"
