"""Playing and explaining at once: decisions a second with actor and critic maps, full layout at 3x.

    python -m benchmarks.live [--steps N] [--network]

The CPU time of a decision says what the rate would be on two cores with nothing else to do and
perfectly shared work; the wall rate is what was reached beside the machine's load. ``--network``:
with the shipped mask network in place of the default maps.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from agentlens.cli.watch import watched_lines
from agentlens.compute import Compute
from agentlens.policies.agent import load_agent
from agentlens.rollout.play import Play
from agentlens.saliency.methods.lan import Lan
from agentlens.workflows.watch import watch
from benchmarks.results import write_result

NETWORK = Path(__file__).resolve().parent.parent / "agents" / "pong-ppo" / "masks"

PREPARATION = 20
"""Steps of a first, short watch: what its CPU time does not share with the long one is a step's."""


def main() -> None:
    """Measure, print and keep the result."""
    parser = argparse.ArgumentParser(description="Time live watching.")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--network", action="store_true", help="maps by the shipped mask network")
    options = parser.parse_args()
    steps = options.steps
    method = Lan(network=str(NETWORK)) if options.network else "perturbation"
    agent = load_agent("pong-ppo")
    used = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (PREPARATION, PREPARATION, PREPARATION + steps):  # the first warms caches
            began = time.process_time()
            watched = watch(
                agent,
                Path(folder) / f"{count}.mp4",
                play=Play(max_steps=count),
                method=method,
                compute=Compute(device="cpu"),
                force=True,
            )
            used[count] = time.process_time() - began
    print("\n".join(watched_lines(watched)))
    figures = {
        "agent": agent.spec.name,
        "steps": watched.steps,
        "decisions_a_second": watched.rate,
        "times_real_time": watched.rate / watched.real_time,
        "wall_ms_a_decision": watched.stages,
        "cpu_ms_a_decision": 1000 * (used[PREPARATION + steps] - used[PREPARATION]) / steps,
    }
    print(f"CPU milliseconds a decision: {figures['cpu_ms_a_decision']:.1f}")
    print(f"written to {write_result('live_network' if options.network else 'live', figures)}")


if __name__ == "__main__":
    main()
