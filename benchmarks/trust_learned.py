"""The part of docs/trust.md on learned masks, from benchmarks/results/masks: no number by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import MASKS, RESULTS

BEGIN, END = "<!-- learned: begin -->", "<!-- learned: end -->"
FOUND, ANEW = "lan, found for each state", "lan, of the policy drawn anew"
TIMES, AHEAD, COVER, NAMED = 8.0, 0.15, 0.9, 0.75
"""What was aimed at: mass on the ball over its area; decisions kept beyond random's; share of the
causal cell that a tenth of the area covers; share of states whose causal cell is named."""

Figures = Mapping[str, Any]


def stored(folder: Path = MASKS) -> dict[str, Figures]:
    """What was measured: by agent, "causes", "gate" and "live_network"."""
    paths = [*sorted(folder.glob("*.json")), RESULTS / "live_network.json"]
    return {path.stem: json.loads(path.read_text("utf-8"))["figures"] for path in paths}


def part(figures: Mapping[str, Figures]) -> str:
    """The whole part."""
    lines: list[str] = []
    for name, table in figures.items():
        if "rows" in table and name not in ("causes", "gate"):
            lines += _agent(name, table)
    if "causes" in figures:
        lines += _causes(figures["causes"])
    if "gate" in figures:
        lines += _gate(figures["gate"])
    if "live_network" in figures:
        lines += _live(figures["live_network"])
    return "\n".join(lines).rstrip() + "\n"


def _agent(name: str, table: Figures) -> Iterator[str]:
    yield (
        f"**{name}**: {table['states']} states with the ball in sight in every plane, "
        f"{table['decided']} of them decided by it (erasing the ball moves the policy by more than "
        ".1 nats)."
    )
    yield ""
    yield "| maps | ball, x area | ball, decided | keeps, others | keeps, median | ghosts |"
    yield "|---|---|---|---|---|---|"
    rows = table["rows"]
    for row, values in rows.items():
        ghosts = _share(values["ghosts"]) if row.startswith("lan") else ""
        yield (
            f"| {row} | {values['ball']:.1f} | {values['ball_decided']:.1f} | "
            f"{_share(values['keeps'])} | {_share(values['keeps_median'])} | {ghosts} |"
        )
    yield ""
    found, anew, random = rows[FOUND], rows[ANEW], rows["random"]
    yield (
        f"Aims, masks found for each state: mass on the ball at least {TIMES:g} times its area: "
        f"{_verdict(found['ball'] >= TIMES)} ({found['ball']:.1f}; drawn anew {anew['ball']:.1f}). "
        f"Decisions kept more than {_share(AHEAD)} beyond random's: "
        f"{_ahead(found, random, 'keeps')} with others, "
        f"{_ahead(found, random, 'keeps_median')} with the median; drawn anew "
        f"{anew['keeps'] - random['keeps']:+.2f} and "
        f"{anew['keeps_median'] - random['keeps_median']:+.2f}."
    )
    yield ""


def _ahead(found: Figures, random: Figures, key: str) -> str:
    gap = found[key] - random[key]
    return f"{_verdict(gap > AHEAD)} ({gap:+.3f})"


def _causes(table: Figures) -> Iterator[str]:
    yield (
        f"**The mosaic**, {table['states']} states, filled with its background unless named. "
        "*Cover*: the share of the causal cell, a sixteenth of the area, within the strongest "
        "tenth of a map."
    )
    yield ""
    yield "| method | cell accuracy | mass share | cover | on a policy drawn anew |"
    yield "|---|---|---|---|---|"
    for name, row in table["rows"].items():
        yield (
            f"| {name} | {_share(row['cell accuracy'])} | {_share(row['mass share'])} | "
            f"{_share(row['cover'])} | {_share(row['re-initialised'])} |"
        )
    yield ""
    rows = table["rows"]
    fixed = [rows[f"extremal, {goal}"] for goal in ("preserve", "destroy")]
    named = [rows[name] for name in ("lan", "meaningful-perturbation", "fido")] + fixed
    yield (
        f"Aims: the causal cell named in {_share(NAMED)} of the states by every method: "
        f"{_verdict(all(row['cell accuracy'] >= NAMED for row in named))}; masks of a tenth of the "
        f"area cover {_share(COVER)} of it, preserving and destroying: "
        f"{_verdict(all(row['cover'] >= COVER for row in fixed))}."
    )
    yield ""


def _gate(gate: Figures) -> Iterator[str]:
    yield (
        f"**The shipped network's fidelity gate**: {gate['frames']} steps of a game that it did "
        "not learn from, the strongest tenth of each map stays, the median stands in the rest."
    )
    yield ""
    yield "| strongest tenth of | decisions kept | kl, nats |"
    yield "|---|---|---|"
    for name, row in gate["rows"].items():
        yield f"| {name} | {_share(row['kept'], 3)} | {_share(row['score'], 3)} |"
    yield ""
    failed = [check for check, holds in gate["checks"].items() if not holds]
    yield (
        f"Rank correlation with the perturbation maps {_share(gate['rank'])}; "
        f"{gate['ghosts']:.0%} of the mask is semi-transparent; "
        + ("passed." if gate["passed"] else f"**failed**: {'; '.join(failed)}.")
    )
    yield ""


def _live(live: Figures) -> Iterator[str]:
    agent = live["agent"]
    yield (
        f"In play, `agentlens watch {agent} --method lan --network agents/{agent}/masks` draws and "
        f"writes {live['decisions_a_second']:.0f} decisions a second, "
        f"{live['times_real_time']:.1f} times as fast as the game goes on a console "
        "([performance](performance.md#live_network))."
    )
    yield ""


def _share(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".removeprefix("0") if value < 1 else f"{value:.{digits}f}"


def _verdict(holds: bool) -> str:
    return "reached" if holds else "**falls short**"
