"""Exact maps of a residual network: the incremental engine against the batched one.

    python -m benchmarks.residual [--rounds N]

The IMPALA network with initial weights, on frames of a real game of Pong and on noise, where
nothing can be left out; one thread, CPU time, medians over the rounds, taking turns.
"""

from __future__ import annotations

import argparse
import time

import torch

from agentlens.policies.agent import load_agent
from agentlens.policies.architectures import architecture
from agentlens.policies.networks import build_policy
from agentlens.saliency.engine import batched, incremental
from benchmarks.contenders import REPOSITORY, Case, Contenders, medians, played
from benchmarks.results import write_result

NAMES = ("batched", "incremental", "incremental, noise")


def residual_case() -> Case:
    """What the shipped Pong agent saw, for a policy of the same protocol with initial weights."""
    folder = REPOSITORY / "agents" / "pong-ppo"
    spec, case = load_agent(folder).spec, played("IMPALA, pong", folder)
    network = architecture("impala", len(spec.action.meanings))
    policy = build_policy(network, spec.observation, spec.action)
    return Case(name=case.name, weights="initial weights", policy=policy, frames=case.frames)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Time exact maps of a residual network.")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each engine")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    contenders = Contenders(residual_case())
    calls = (
        contenders.engine(batched, 1, 1),
        contenders.engine(incremental, 1, 1),
        contenders.engine_on_noise(),
    )
    times = medians(dict(zip(NAMES, calls, strict=True)), rounds, time.process_time)
    figures = {
        "agent": contenders.case.weights,
        "masks": len(contenders.perturbation.masks),
        "cpu_ms_one_thread": {name: round(value, 1) for name, value in times.items()},
        "ratios": {
            f"batched / {name}": round(times["batched"] / times[name], 2) for name in NAMES[1:]
        },
    }
    print(f"{contenders.case.name}, {contenders.case.weights}, {figures['masks']} masks")
    for name, value in times.items():
        print(f"  CPU ms, one thread  {name:20}{value:9.1f}   {times['batched'] / value:.2f}x")
    print(f"written to {write_result('residual', figures)}")


if __name__ == "__main__":
    main()
