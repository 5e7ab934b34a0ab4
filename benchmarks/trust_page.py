"""The measured parts of docs/trust.md, from benchmarks/results: no number typed by hand.

python -m benchmarks.trust_page            print them
python -m benchmarks.trust_page --write    put them into the page
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import trust_learned
from benchmarks.trust import CHEAP, FOLDER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "trust.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SHOWN = {
    "causal-rank": "causal rank",
    "top-region": "top region",
    "difference": "insertion - deletion",
    "sensitivity-n": "sensitivity-n",
    "energy-correlation": "energy",
    "randomisation": "output layer anew",
    "input-invariance": "input invariance",
    "separability": "two actions",
}
"""Metrics of the tables, and their headings."""

Figures = Mapping[str, Any]


def stored(folder: Path = FOLDER) -> dict[str, Figures]:
    """What was measured, by agent."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8"))["figures"] for path in paths}


def part(figures: Mapping[str, Figures]) -> str:
    """The whole part."""
    lines = [
        "### What hiding a region costs, agent by agent",
        "",
        *_interventions(figures),
        "### Method by measure",
        "",
        "`causal rank`, `top region`, `insertion - deletion`, `sensitivity-n`, `input invariance`: "
        "higher is better; `energy`, `output layer anew`, `two actions`: lower. Rows in italics "
        "are controls.",
        "",
        *_measures(figures),
        "### Where the default peaks when one object decides",
        "",
        *_decisive(figures),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _interventions(figures: Mapping[str, Figures]) -> Iterator[str]:
    yield (
        "Whole games, paired; the region filled with the recording's median. KL a decision in "
        "nats. Few games: intervals of three or four pairs are rough, and one that holds 0 says "
        "*cannot tell*, no more. Where the KL is 0.000 a difference is chance: one other action, "
        "and the rest of the game is another."
    )
    yield ""
    yield "| agent, pairs of games | hidden | return | difference (95 %) | KL a decision |"
    yield "|---|---|---|---|---|"
    for agent, parts in figures.items():
        table = parts.get("interventions")
        if table is None:
            continue
        for arm, row in table["arms"].items():
            first = f"{agent}, {table['repeats']}" if arm == "untouched" else ""
            gap = row["difference"]
            between = ""
            if gap is not None:
                between = f"{gap[0]:+.1f}" + (
                    f" ({gap[1]:+.1f} to {gap[2]:+.1f})" if gap[1] is not None else ""
                )
                if gap[1] is not None and gap[1] <= 0 <= gap[2]:
                    between += ": cannot tell"
            moved = "" if row["kl"] is None else f"{row['kl'][0]:.3f}"
            name = arm.removesuffix(" hidden")
            yield f"| {first} | {name} | {row['return'][0]:+.1f} | {between} | {moved} |"
    yield ""


def _measures(figures: Mapping[str, Figures]) -> Iterator[str]:
    for agent, parts in figures.items():
        table = parts.get("measures")
        if table is None:
            continue
        yield f"**{agent}**, {table['states']} states, intervals over {table['units']}"
        yield ""
        yield "| | " + " | ".join(SHOWN.values()) + " |"
        yield "|---" * (len(SHOWN) + 1) + "|"
        for row, values in table["rows"].items():
            name = row if row in table["badges"] else f"*{row}*"
            yield f"| {name} | " + " | ".join(_cell(values.get(m)) for m in SHOWN) + " |"
        for row, values in parts.get("slow", {}).get("rows", {}).items():
            cells = [_cell(values.get(m)) if m in CHEAP else "" for m in SHOWN]
            yield f"| {row} ({parts['slow']['states']} states) | " + " | ".join(cells) + " |"
        yield ""
        for method, badges in table["badges"].items():
            yield f"- `{method}`: {badges}"
        yield ""


def _cell(figure: list[float | None] | None) -> str:
    return "" if figure is None or figure[0] is None else f"{figure[0]:.2f}"


def _decisive(figures: Mapping[str, Figures]) -> Iterator[str]:
    yield (
        "A frame is decisive where erasing one object moves the policy by more than .1 nats, or "
        "changes the greedy action of a Q network; the object that moves it most decides. "
        "*Default*: the share of frames whose peak lies within 6 observation pixels of what "
        "erasing that object changes, in one of the planes; *5 px*: within 5. The cause is "
        "*clear* where no other object moves the policy by four fifths as much. Intervals over "
        "episodes, or stretches of few."
    )
    yield ""
    yield (
        "| agent | decisive frames | deciding objects | default | 5 px | where clear | "
        "energy alone | by chance |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for agent, parts in figures.items():
        row = parts.get("decisive")
        if row is None:
            continue
        if not row["decisive"]:
            yield f"| {agent} | 0 of {row['asked']} | none | | | | | |"
            continue
        objects = ", ".join(f"{name} {count}" for name, count in row["objects"].items())
        default = f"{row['default']:.3f} ({row['low']:.2f} to {row['high']:.2f})"
        clear = row["default where clear"]
        where_clear = "" if clear is None else f"{clear:.3f} of {row['clear']}"
        shares = " | ".join(f"{row[name]:.2f}" for name in ("energy", "chance"))
        count = f"{row['decisive']} (of {row['asked']} looked at)"
        yield (
            f"| {agent} | {count} | {objects} | {default} | {row['within 5']:.3f} | "
            f"{where_clear} | {shares} |"
        )
    yield ""


def written(page: str, text: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The page with the part between two marks replaced."""
    begin, end = marks
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text}{end}{after}"


def whole(page: str) -> str:
    """The page with both its measured parts as the stored figures have them."""
    learned = trust_learned.part(trust_learned.stored())
    marks = trust_learned.BEGIN, trust_learned.END
    return written(written(page, part(stored())), learned, marks)


def main() -> None:
    """Print the parts, or write them."""
    if "--write" in sys.argv[1:]:
        PAGE.write_text(whole(PAGE.read_text("utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(part(stored()) + trust_learned.part(trust_learned.stored()))


if __name__ == "__main__":
    main()
