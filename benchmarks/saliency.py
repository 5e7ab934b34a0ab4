"""Exact saliency maps: our engines against the literature's serial loop and captum.

    python -m benchmarks.saliency [--rounds N]

Contenders take turns, so that a load from elsewhere hits all of them; figures are medians over
the rounds. The loop is timed as most code writes it, with masks and blurs made anew for every mask
and plane, and as a careful author would, with masks made once and one blur a frame. Latency is
compared with latency, throughput with throughput. CPU time is taken with one thread, wall time
with all cores; the loop and captum get the number of torch threads that suits them best. The
incremental engine leaves out what a frame does not change, so it is timed on noise too, where it
can leave out nothing. The baby-a3c agent is the public one, timed where the environment variable
AGENTLENS_POLICIES (or ../shared/policies) has it.
"""

from __future__ import annotations

import argparse
import copy
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch

from agentlens.saliency import scores
from agentlens.saliency.engine import batched, incremental
from agentlens.saliency.engine.settings import torch_threads
from benchmarks.contenders import (
    CORES,
    FRAMES,
    MEMORY,
    PUBLISHED,
    Case,
    Contenders,
    cases,
    explainer,
    medians,
)
from benchmarks.results import write_result

PUBLISHED_CPU = "loop as published / ours, one frame, one thread, CPU"
CAREFUL_CPU = "loop with shared masks and blur / ours, one frame, one thread, CPU"
LATENCY = "loop with shared masks and blur / ours, latency of one frame, wall"
THROUGHPUT = "loop with shared masks and blur / ours, throughput of 8 frames, wall"
CAPTUM_LATENCY = "captum / ours, latency of one frame, wall"
CAPTUM_THROUGHPUT = "captum / ours, throughput of 8 frames, wall"
ACTOR_AND_CRITIC = "two careful loops / ours, actor and critic, throughput of 8 frames, wall"
WORKERS = "one worker / two workers, wall"
WANTED = {
    PUBLISHED_CPU: (12, 17),
    CAREFUL_CPU: (8, 12),
    LATENCY: (8, 12),
    THROUGHPUT: (10, 16),
    CAPTUM_LATENCY: (1.5, 3),
    CAPTUM_THROUGHPUT: (3, 5),
    ACTOR_AND_CRITIC: (20, 30),
    WORKERS: (1.5, 1.9),
}
ENGINES = "batched / incremental, one thread, CPU"
WANTED_ENGINES = {"Nature CNN, pong": (1.6, 2), "baby-a3c, pong": (2, 3)}


def one_thread(with_: Contenders, rounds: int) -> dict[str, float]:
    """CPU milliseconds of one map with one thread."""
    torch.set_num_threads(1)
    ours, setting = explainer(with_.case.policy, ("kl",), 1), with_.best_captum([1])
    times = medians(
        {
            "loop as published": lambda: with_.loop("kl", 1),
            "loop with shared masks and blur": lambda: with_.careful_loop("kl", 1),
            f"captum, {setting[0]} at once": lambda: with_.captum(setting),
            "ours": lambda: ours(with_.one),
        },
        rounds,
        time.process_time,
    )
    engines = {
        "engine batched": with_.engine(batched, 1, 1),
        "engine incremental": with_.engine(incremental, 1, 1),
        "engine incremental, noise": with_.engine_on_noise(),
    }
    return times | medians(engines, 3 * rounds, time.process_time)


def all_cores(with_: Contenders, rounds: int) -> dict[str, float]:
    """Wall milliseconds of one map with all cores.

    Loop and captum take one frame after the other, so that their latency is their share of eight
    frames as well; ours is timed both on one frame and as a share of ``FRAMES`` in a call.
    """
    torch.set_num_threads(CORES)
    frames, policy = with_.case.frames, with_.case.policy
    single, pair = (explainer(policy, t, CORES) for t in (("kl",), PUBLISHED))
    setting, loop_threads = with_.best_captum([1, CORES]), with_.best_loop()
    times = medians(
        {
            "loop as published": lambda: with_.loop("kl", loop_threads),
            "loop with shared masks and blur": lambda: with_.careful_loop("kl", loop_threads),
            "two careful loops": lambda: with_.published_loops(loop_threads),
            f"captum, {setting[0]} at once": lambda: with_.captum(setting),
            "ours, one frame alone": lambda: single(with_.one),
            "ours, 8 frames": lambda: single(frames),
            "ours, actor and critic, 8 frames": lambda: pair(frames),
        },
        rounds,
        time.perf_counter,
    )
    engines = {
        "one worker, 8 frames": with_.engine(incremental, 1, FRAMES),
        "two workers, 8 frames": with_.engine(incremental, 2, FRAMES),
    }
    times |= medians(engines, 2 * rounds, time.perf_counter)
    return {
        name.replace("8 frames", "a frame of 8"): value / (FRAMES if "8 frames" in name else 1)
        for name, value in times.items()
    }


def core_gain() -> float:
    """How many times faster plain products run on two threads: under 2 where others load the
    machine."""
    matrix = torch.rand(1000, 1000)

    def products(threads: int) -> None:
        def work() -> None:
            torch.set_num_threads(1)
            for _ in range(8 // threads):
                torch.mm(matrix, matrix)

        with torch_threads(1), ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()

    found = medians({n: partial(products, n) for n in (1, 2)}, 5, time.perf_counter)
    return found[1] / found[2]


def ratios(cpu: dict[str, float], wall: dict[str, float]) -> dict[str, float]:
    """How many times faster, by the names in ``WANTED``."""
    captum = next(value for name, value in wall.items() if name.startswith("captum"))
    careful, shared = "loop with shared masks and blur", wall["ours, a frame of 8"]
    return {
        PUBLISHED_CPU: cpu["loop as published"] / cpu["ours"],
        CAREFUL_CPU: cpu[careful] / cpu["ours"],
        LATENCY: wall[careful] / wall["ours, one frame alone"],
        THROUGHPUT: wall[careful] / shared,
        CAPTUM_LATENCY: captum / wall["ours, one frame alone"],
        CAPTUM_THROUGHPUT: captum / shared,
        ACTOR_AND_CRITIC: wall["two careful loops"] / wall["ours, actor and critic, a frame of 8"],
        WORKERS: wall["one worker, a frame of 8"] / wall["two workers, a frame of 8"],
        ENGINES: cpu["engine batched"] / cpu["engine incremental"],
    }


def errors(with_: Contenders) -> dict[str, float]:
    """Largest error of the kl maps of all frames against float64, as a share of each map's
    maximum."""
    exact_policy = copy.deepcopy(with_.case.policy).double()
    frames, references = with_.case.frames, with_.references
    states = None if frames.states is None else frames.states.double()
    exact = batched.build(exact_policy, with_.perturbation, memory_bytes=MEMORY, threads=CORES)(
        frames.observations.double(), references.double(), states
    )
    wanted = scores.kl(exact.base.preferences[:, None, None], exact.perturbed.preferences)
    found = {}
    for name, module in (("batched", batched), ("incremental", incremental)):
        built = module.build(
            with_.case.policy, with_.perturbation, memory_bytes=MEMORY, threads=CORES
        )
        got = built(frames.observations, references, frames.states)
        heat = scores.kl(got.base.preferences[:, None, None], got.perturbed.preferences)
        largest = wanted.flatten(1).amax(1)
        found[name] = float(((heat - wanted).abs().flatten(1).amax(1) / largest).max())
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Time exact saliency maps.")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    rounds = parser.parse_args().rounds
    figures = {}
    for case in cases():
        contenders = Contenders(case)
        cpu, wall = one_thread(contenders, rounds), all_cores(contenders, rounds)
        gained, wrong, free = ratios(cpu, wall), errors(contenders), core_gain()
        figures[case.name] = {
            "agent": case.weights,
            "masks": len(contenders.perturbation.masks),
            "cpu_ms_one_thread": _rounded(cpu),
            "wall_ms_all_cores": _rounded(wall),
            "ratios": _rounded(gained),
            "two_threads_of_plain_products_gain": round(free, 2),
            "error_of_kl_maps_against_float64_share_of_maximum": wrong,
        }
        _print(case, cpu, wall, gained, wrong)
        print(f"  (plain products on two threads meanwhile: {free:.2f}x)")
    print(f"written to {write_result('saliency', figures)}")


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _print(
    case: Case,
    cpu: dict[str, float],
    wall: dict[str, float],
    gained: dict[str, float],
    wrong: dict[str, float],
) -> None:
    print(f"\n{case.name} ({case.weights})", flush=True)
    for title, values in (("CPU ms, one thread", cpu), ("wall ms, all cores", wall)):
        for name, value in values.items():
            print(f"  {title}  {name:32}{value:9.1f}")
    for name, value in gained.items():
        least, aim = WANTED.get(name) or WANTED_ENGINES[case.name]
        print(f"  {name:50}{value:7.2f}x   wanted {least}, aim {aim}")
    for name, value in wrong.items():
        print(f"  error of {name} against float64, share of the maximum: {value:.1e}")


if __name__ == "__main__":
    main()
