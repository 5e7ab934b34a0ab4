"""docs/performance.md from the stored results, so that no number is typed by hand.

python -m benchmarks.report > docs/performance.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS
from benchmarks.saliency import ENGINES, WANTED, WANTED_ENGINES

_INTRODUCTION = """# Performance

Made by `python -m benchmarks.report > docs/performance.md` from `benchmarks/results/*.json`; a test
keeps it so. `make bench` measures everything anew and rewrites this page. Both sides of a ratio
take turns in one run. The load is the number of processes that wanted a core when the result was
written, the benchmark's own included: above the number of cores, wall times say little.
"""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure that was promised: where it is stored, what it must reach and what it aims at."""

    benchmark: str
    path: tuple[str, ...]
    words: str
    least: float
    aim: float | None = None


def targets() -> tuple[Target, ...]:
    """All of them, in the order of the page."""
    recording = [
        Target(
            benchmark=f"recording-{games}",
            path=("ratios", kind),
            least=1.7,
            aim=2.2,
            words=f"recording against stable-baselines3, {games} at once, {kind}, CPU",
        )
        for games in (1, 8)
        for kind in ("with network", "without")
    ]
    saliency = [
        Target(
            benchmark="saliency",
            path=(agent, "ratios", name),
            least=least,
            aim=aim,
            words=f"maps, {agent}: {name}",
        )
        for agent, engines in WANTED_ENGINES.items()
        for name, (least, aim) in {**WANTED, ENGINES: engines}.items()
    ]
    return (
        Target(
            benchmark="pipeline",
            path=("ratio",),
            least=30,
            aim=60,
            words="whole pipeline against the serial way, wall",
        ),
        Target(
            benchmark="pipeline",
            path=("ratio_with_shared_masks_and_blur",),
            least=15,
            words="whole pipeline against the serial way with shared masks and blur, wall",
        ),
        Target(
            benchmark="live",
            path=("decisions_a_second",),
            least=15,
            words="live: decisions a second with actor and critic maps",
        ),
        Target(
            benchmark="live_network",
            path=("decisions_a_second",),
            least=15,
            words="live: decisions a second with a mask network, where the game makes 15",
        ),
        *saliency,
        *_gpu_targets(),
        Target(
            benchmark="mask_network",
            path=("explain: steps a second, all cores, wall",),
            least=1000,
            words="maps by a mask network: steps a second of explain, all cores, wall",
        ),
        Target(
            benchmark="mask_network",
            path=("perturbation / network, one thread, CPU",),
            least=50,
            words="perturbation engine / mask network, one thread, CPU",
        ),
        *recording,
        Target(
            benchmark="render",
            path=("drawing", "ratio"),
            least=30,
            words="drawing against a matplotlib figure, CPU",
        ),
        Target(
            benchmark="render",
            path=("encoding", "ratio_wall"),
            least=2.5,
            words="encoding against imageio's writer, wall",
        ),
        Target(
            benchmark="render",
            path=("full", "fps"),
            least=60,
            words="frames a second drawn and encoded at 3x, full layout",
        ),
        Target(
            benchmark="render",
            path=("compact", "fps"),
            least=60,
            words="frames a second drawn and encoded at 3x, compact layout",
        ),
    )


def _gpu_targets() -> Iterator[Target]:
    """What maps on a GPU must reach, for each agent that is timed there."""
    for agent in ("pong-ppo", "pong-recurrent"):
        for path, least in (
            (("float32", "maps a second, one frame a call"), 2000),
            (("float32", "maps a second, batched"), 5000),
            (("captum / ours, one frame a call",), 20),
        ):
            words = f"GPU, {agent}: {path[-1]}"
            yield Target(benchmark="gpu", path=(agent, *path), least=least, words=words)


def performance_page(results: Path = RESULTS) -> str:
    """The page: promised figures first, then everything that was measured."""
    documents = {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*.json"))
    }
    parts = [_INTRODUCTION, _promises(documents)]
    parts += [_section(name, document) for name, document in documents.items()]
    return "\n".join(parts)


def _promises(documents: Mapping[str, Any]) -> str:
    lines = [
        "## What was promised\n",
        "| figure | measured | must reach | aim | | load |",
        "|---|---:|---:|---:|---|---:|",
    ]
    for target in targets():
        document = documents.get(target.benchmark)
        value = None if document is None else _at(document["figures"], target.path)
        shown = "not measured" if value is None else number(value)
        aim = "" if target.aim is None else number(target.aim)
        load = "" if document is None else number(document["machine"]["load"])
        lines.append(
            f"| {target.words} | {shown} | {number(target.least)} | {aim} "
            f"| {verdict(target, value)} | {load} |"
        )
    return "\n".join(lines) + "\n"


def verdict(target: Target, value: float | None) -> str:
    """One word or two on a measured figure."""
    if value is None:
        return ""
    if value < target.least:
        return "**falls short**"
    return "aim reached" if target.aim is not None and value >= target.aim else "reached"


def _at(figures: Any, path: tuple[str, ...]) -> float | None:
    for name in path:
        if not isinstance(figures, Mapping) or name not in figures:
            return None
        figures = figures[name]
    return float(figures)


def _section(name: str, document: Mapping[str, Any]) -> str:
    made = document["provenance"]
    machine = ", ".join(
        f"{key} {number(value) if isinstance(value, float) else value}"
        for key, value in document["machine"].items()
    )
    versions = ", ".join(f"{key} {value}" for key, value in made["versions"].items())
    command = document.get("command", f"python -m benchmarks.{name}")
    lines = [
        f"## {name}\n",
        f"`{command}`\n",
        f"Machine: {machine}. {made['created'][:10]}, {made['platform']}, Python {made['python']}; "
        f"{versions}.\n",
        "| figure | value |",
        "|---|---:|",
        *(f"| {words} | {shown} |" for words, shown in flat(document["figures"])),
    ]
    return "\n".join(lines) + "\n"


def flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Rows of nested figures; lists (the single rounds behind a median) are left out."""
    for key, value in figures.items():
        words = f"{before}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{words}: ")
        elif isinstance(value, (int, float)):
            yield words, number(value)
        elif isinstance(value, str):
            yield words, value


def number(value: float) -> str:
    """Three digits that count, or a whole number as it is."""
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:.0f}"
    return f"{value:.3g}"


if __name__ == "__main__":
    sys.stdout.write(performance_page())
