"""Learned masks in time: the network against the perturbation engine, and the optimiser.

    python -m benchmarks.mask_network [--rounds N] [--gate-only] [--write]

Contenders take turns on the same states of pong-ppo, figures are medians over the rounds. The
network is the one in ``agents/pong-ppo/masks``; the perturbation maps are the default method's, by
the engine that a CPU gets. ``explain`` is the whole command on a recorded game: outputs checked
against the recorded ones, maps made and written. Then the network's fidelity gate, on a
game that it did not learn from; ``--write`` puts it into the artefact in place of an older one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.mapping import decode
from agentlens.metrics._recorded import frames_of, part
from agentlens.policies.agent import Agent, load_agent
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import Explainer, FrameBatch, LearnedArtefact, SaliencyMethod
from agentlens.saliency.engine.settings import torch_threads
from agentlens.saliency.explain import explain
from agentlens.saliency.frames import recording_facts
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.optimise.explainer import LearnedMaskExplainer
from agentlens.saliency.optimise.network import MaskNetworkSpec, build_network
from agentlens.store.artefacts import read_artefact, write_artefact
from agentlens.store.recording import Recording
from agentlens.workflows.mask_gate import MaskGate, bind_gate, measure_gate
from benchmarks.results import MASKS, write_result

NETWORK = Path(__file__).resolve().parent.parent / "agents" / "pong-ppo" / "masks"
CORES = torch.get_num_threads()
FRAMES = 64
"""States of a call of the engine and the network; the optimiser gets half of them."""
STEPS = 1024
"""Steps that ``explain`` makes maps of."""


def bound(method: SaliencyMethod, recording: Recording, agent: Agent, threads: int) -> Explainer:
    """A method ready for calls."""
    facts = recording_facts(recording, method)
    if method.artefact is not None:
        learned = read_artefact(NETWORK, "mask network")
        facts = dataclasses.replace(facts, artefact=LearnedArtefact(learned.about, learned.tensors))
    return method.bind(agent.policy, Compute(threads=threads), facts)


def medians(
    calls: Mapping[str, tuple[Callable[[], object], int]],
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, float]:
    """Milliseconds a state of each call, taking turns; the first turn is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, (call, states) in calls.items():
            start = clock()
            call()
            if turn:
                times[name].append(1e3 * (clock() - start) / states)
    return {name: statistics.median(values) for name, values in times.items()}


def contenders(
    recording: Recording, agent: Agent, frames: FrameBatch, threads: int
) -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed, and how many states a call of each has."""
    network = bound(Lan(network=str(NETWORK)), recording, agent, threads)
    engine = bound(Perturbation(), recording, agent, threads)
    optimiser = bound(Lan(), recording, agent, threads)
    half = part(frames, np.arange(FRAMES // 2))
    return {
        "perturbation engine": (partial(engine, frames), FRAMES),
        "mask network": (partial(network, frames), FRAMES),
        "optimiser": (partial(optimiser, half), FRAMES // 2),
    }


def whole(recording: Recording, folder: Path, threads: int) -> dict[str, float]:
    """Milliseconds a step of the whole command, wall and CPU."""
    steps, compute = {0: range(STEPS)}, Compute(device="cpu", threads=threads)
    method = Lan(network=str(NETWORK))
    explain(recording, method, steps={0: range(64)}, output=folder / "warm", compute=compute)
    wall, cpu = time.perf_counter(), time.process_time()
    explain(
        recording, method, steps=steps, output=folder / f"maps-{threads}-{wall}", compute=compute
    )
    return {
        "wall": 1e3 * (time.perf_counter() - wall) / STEPS,
        "cpu": 1e3 * (time.process_time() - cpu) / STEPS,
    }


def gate(recording: Recording, agent: Agent) -> MaskGate:
    """The network's fidelity gate on steps of a recording that it did not learn from."""
    optimiser = bound(Lan(), recording, agent, CORES)
    assert isinstance(optimiser, LearnedMaskExplainer)
    learned = read_artefact(NETWORK, "mask network")
    network = build_network(
        decode(MaskNetworkSpec, learned.about["network"], "network"), learned.tensors
    )
    episode = recording.episodes[0]
    chosen = np.unique(np.linspace(0, len(episode) - 1, FRAMES).astype(int))
    frames, facts = frames_of(episode, chosen), recording_facts(recording, Lan())
    task = optimiser.tasks[0]
    methods = bind_gate(task, Compute(threads=CORES), facts)
    return measure_gate(task, methods, network, frames)


def write_gate(measured: MaskGate) -> None:
    """Put a gate into the artefact."""
    learned = read_artefact(NETWORK, "mask network")
    about = {**learned.about, "gate": measured.as_json()}
    write_artefact(NETWORK, dataclasses.replace(learned, about=about), force=True)


def times(
    recording: Recording, agent: Agent, folder: Path, rounds: int
) -> dict[str, str | int | float | dict[str, float]]:
    """Milliseconds, and what follows from them."""
    frames = frames_of(recording.episodes[0], np.arange(100, 100 + 3 * FRAMES, 3))
    with torch_threads(1):
        cpu = medians(contenders(recording, agent, frames, 1), rounds, time.process_time)
    with torch_threads(CORES):
        calls = contenders(recording, agent, frames, CORES)
        wall = medians(calls, rounds, time.perf_counter)
    runs = [whole(recording, folder / str(turn), CORES) for turn in range(rounds)]
    alone = [whole(recording, folder / f"alone-{turn}", 1) for turn in range(rounds)]
    return {
        "agent": "pong-ppo",
        "states a call": FRAMES,
        "cpu ms a state, one thread": cpu,
        "wall ms a state, all cores": wall,
        "explain: steps a second, all cores, wall": 1e3
        / statistics.median(run["wall"] for run in runs),
        "explain: steps a CPU second, one thread": 1e3
        / statistics.median(run["cpu"] for run in alone),
        "perturbation / network, all cores, wall": wall["perturbation engine"]
        / wall["mask network"],
        "perturbation / network, one thread, CPU": cpu["perturbation engine"] / cpu["mask network"],
        "optimiser: seconds a state, all cores, wall": wall["optimiser"] / 1e3,
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gate-only", action="store_true", help="leave out the times")
    parser.add_argument("--write", action="store_true", help="put the gate into the artefact")
    options = parser.parse_args()
    agent = load_agent("pong-ppo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        play = Play(seed=2, max_steps=STEPS)
        recording = record(agent, output=folder / "recording", play=play, compute=Compute())
        if not options.gate_only:
            figures = times(recording, agent, folder, options.rounds)
            for name, value in figures.items():
                print(f"{name}: {value}")
            print(f"written to {write_result('mask_network', figures)}")
        measured = gate(recording, agent)
    print(json.dumps(measured.as_json(), indent=1))
    print(f"written to {write_result('gate', measured.as_json(), folder=MASKS)}")
    if options.write:
        write_gate(measured)


if __name__ == "__main__":
    main()
