"""How far maps of the shipped agents can be believed: measures, interventions, decisive frames.

    python -m benchmarks.trust RECORDINGS [--agents NAME ...] [--parts measures ...] [--repeats 6]

RECORDINGS is a folder with one recording an agent, by name; what is missing is recorded (6 games).
The figures of an agent go to benchmarks/results/trust/AGENT.json, each part with the command that
made it, and `python -m benchmarks.trust_page --write` puts them into docs/trust.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import agentlens
from agentlens.badges import Figure
from agentlens.compute import Compute
from agentlens.envs.atari.regions import named_places
from agentlens.policies.agent import Agent, load_agent
from agentlens.rollout.play import Play
from agentlens.store.recording import Recording
from agentlens.workflows.intervene import intervene
from agentlens.workflows.intervene_options import Intervention, PlayOn
from agentlens.workflows.measure import measure
from agentlens.workflows.measure_plan import MeasurePlan
from benchmarks.decisive_objects import figures as decisive
from benchmarks.results import RESULTS, made_here, write_document

FOLDER = RESULTS / "trust"
METHODS = (
    "perturbation",
    "greydanus",
    "sarfa",
    "occlusion",
    "gradient-input",
    "integrated-gradients",
)
SLOW = ("lan", "extremal", "fido", "meaningful-perturbation", "rise")
"""Measured without the metrics that make maps again, and on fewer states."""
CHEAP = (
    "causal-rank",
    "deletion",
    "difference",
    "edge-correlation",
    "energy-correlation",
    "insertion",
    "sensitivity-n",
    "sparseness",
    "top-region",
)
STATES, SLOW_STATES = 40, 12
GAMES, REPEATS = 6, 6
ASKED, FEW = {"pong-ppo": 900}, 300
"""Frames that are looked at for the decisive ones: many for the agent that the default rests on."""
ONE = Compute(threads=1)
PARTS = ("measures", "slow", "interventions", "decisive")


def recording_of(name: str, folder: Path) -> Recording:
    """The agent's recording, made if it is not there."""
    path = folder / name
    if path.is_dir():
        return agentlens.open_recording(path)
    return agentlens.record(load_agent(name), output=path, play=Play(episodes=GAMES))


def measures(recording: Recording, states: int = STATES) -> dict[str, Any]:
    """Every fast method with all metrics, controls beside them."""
    result = measure(recording, METHODS, MeasurePlan(states=states), compute=ONE)
    return {
        "states": len(result.steps),
        "units": result.units,
        "better": dict(result.better),
        "rows": {
            row: {
                metric: numbers(result.figure(row, metric))
                for metric in result.metrics
                if result.figure(row, metric).estimate == result.figure(row, metric).estimate
            }
            for row in result.rows
        },
        "badges": {method: str(result.badges(method)) for method in result.methods},
    }


def slow(
    recording: Recording, methods: Sequence[str], earlier: Mapping[str, Any]
) -> dict[str, Any]:
    """Methods that cost seconds a map, with the metrics that need one map a state.

    Rows of ``earlier`` stay where their method is not measured again.
    """
    plan = MeasurePlan(states=SLOW_STATES, metrics=CHEAP, controls=False)
    rows: dict[str, Any] = dict(earlier.get("rows", {}))
    for method in methods:
        result = measure(recording, [method], plan, compute=ONE)
        rows[method] = {metric: numbers(result.figure(method, metric)) for metric in result.metrics}
    return {"states": SLOW_STATES, "rows": rows}


def interventions(recording: Recording, repeats: int) -> dict[str, Any]:
    """Whole games with each named region hidden."""
    regions = tuple(named_places(recording.header.agent.environment.game).regions)
    plan = Intervention(hide=regions, random=False)
    return intervene(recording, plan, PlayOn(repeats=repeats), compute=ONE).summary()


def numbers(figure: Figure) -> list[float | None]:
    """Estimate and interval, for JSON."""
    ends = (figure.estimate, figure.low, figure.high)
    return [None if math.isnan(value) else round(value, 4) for value in ends]


def part_of(
    part: str,
    recording: Recording,
    agent: Agent,
    options: argparse.Namespace,
    earlier: Mapping[str, Any],
) -> dict[str, Any]:
    """The figures of one part; ``earlier`` is what is known of it."""
    if part == "measures":
        return measures(recording, options.states)
    if part == "slow":
        return slow(recording, options.slow, earlier)
    if part == "interventions":
        return interventions(recording, options.repeats)
    return decisive(recording, agent, asked=ASKED.get(recording.header.agent.name, FEW))


def arguments() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--agents", nargs="+", default=["pong-ppo"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument(
        "--slow", nargs="+", choices=SLOW, default=SLOW, help="methods of part slow"
    )
    parser.add_argument("--states", type=int, default=STATES, help="states of part measures")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    return parser


def pieces(part: str, options: argparse.Namespace) -> list[str]:
    """What one run makes of a part: itself, or "slow METHOD" for each method of part slow."""
    return [f"slow {method}" for method in options.slow] if part == "slow" else [part]


def made_before(document: Mapping[str, Any]) -> dict[str, Any]:
    """What made each piece of a stored document.

    Documents of before have the stamp of the last run alone: it is true of what its command names,
    and what made the rest is not known.
    """
    if "made" in document or "command" not in document:
        return dict(document.get("made", {}))
    stamp = {name: document[name] for name in ("command", "machine", "provenance")}
    options = arguments().parse_args(shlex.split(document["command"])[3:])
    return {piece: stamp for part in options.parts for piece in pieces(part, options)}


def main() -> None:
    """Work the parts out and keep them, agent by agent."""
    options = arguments().parse_args()
    for name in options.agents:
        recording, agent = recording_of(name, options.recordings), load_agent(name)
        path = FOLDER / f"{name}.json"
        before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        figures, made = before.get("figures", {}), made_before(before)
        for part in options.parts:
            start = time.perf_counter()
            figures[part] = part_of(part, recording, agent, options, figures.get(part, {}))
            figures[part]["seconds"] = round(time.perf_counter() - start, 1)
            made |= dict.fromkeys(pieces(part, options), made_here())
            write_document(name, {"figures": figures, "made": made}, folder=FOLDER)
            print(f"{name} {part}: {figures[part]['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
