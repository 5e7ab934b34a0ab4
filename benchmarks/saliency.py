"""Exact saliency maps: our engines against the literature's serial loop and captum.

    python -m benchmarks.saliency [--rounds N]

Contenders take turns, so that a load from elsewhere hits all of them; figures are medians over
the rounds. CPU time is taken with one thread, wall time with all cores; the loop and captum get
the number of torch threads that suits them best. The incremental engine leaves out what a frame
does not change, so it is timed on noise too, where it can leave out nothing. The baby-a3c agent is
the
public one, timed where the environment variable AGENTLENS_POLICIES (or ../shared/policies) has it.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from agentlens.compute import Compute
from agentlens.policies.agent import load_agent
from agentlens.policies.base import Policy, PolicyOutput
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency import scores
from agentlens.saliency.base import FrameBatch, RecordingFacts
from agentlens.saliency.engine import batched, incremental
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.saliency.engine.settings import torch_threads
from agentlens.saliency.masks import gaussian_masks, plane_selections
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec
from agentlens.saliency.references import blur
from benchmarks.baselines import BLUR, RADIUS, STRIDE, CaptumMap, Score, literature_map
from benchmarks.results import write_result

REPOSITORY = Path(__file__).resolve().parent.parent
POLICIES = Path(os.environ.get("AGENTLENS_POLICIES", REPOSITORY.parent / "shared" / "policies"))
CORES = os.cpu_count() or 1
MEMORY = 1 << 30
FRAMES = 8
"""Frames of a call in wall-time figures."""

Name = TypeVar("Name", bound=Hashable)

WANTED = {
    "literature / ours, one target, one thread, CPU": (12, 17),
    "literature / ours, one target, all cores, wall": (20, 32),
    "four loops / ours, four targets, all cores, wall": (60, 90),
    "captum / ours, one target, all cores, wall": (3, 5),
    "one worker / two workers, wall": (1.5, 1.9),
}
ENGINES = "batched / incremental, one thread, CPU"
WANTED_ENGINES = {"Nature CNN, pong": (1.6, 2), "baby-a3c, pong": (2, 3)}


def _kl(base: PolicyOutput, changed: PolicyOutput, action: Tensor) -> Tensor:
    return scores.kl(base.preferences, changed.preferences)


def _value(base: PolicyOutput, changed: PolicyOutput, action: Tensor) -> Tensor:
    return scores.half_squared(base.value[..., None], changed.value[..., None])


def _sarfa(base: PolicyOutput, changed: PolicyOutput, action: Tensor) -> Tensor:
    rows = len(changed.preferences)
    return scores.sarfa(base.preferences.expand(rows, -1), changed.preferences, action.expand(rows))


def _log_probability(base: PolicyOutput, changed: PolicyOutput, action: Tensor) -> Tensor:
    rows = len(changed.preferences)
    return scores.log_probability(
        base.preferences.expand(rows, -1), changed.preferences, action.expand(rows)
    )


TARGETS: dict[str, Score] = {
    "kl": _kl,
    "value_l2": _value,
    "sarfa": _sarfa,
    "log_probability": _log_probability,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """An agent and ``FRAMES`` steps that it played."""

    name: str
    weights: str
    policy: Policy
    frames: FrameBatch


def played(name: str, agent_path: Path, *, env: str | None = None) -> Case:
    """Let an agent play a little and take steps far from the start, one in five."""
    agent = load_agent(agent_path, env=env)
    with tempfile.TemporaryDirectory() as folder:
        recording = record(
            agent,
            output=Path(folder) / "played",
            play=Play(seed=1, max_steps=140),
            compute=Compute(device="cpu"),
        )
        episode = recording.episodes[0]
        steps = np.arange(100, 100 + 5 * FRAMES, 5)
        frames = FrameBatch(
            observations=torch.from_numpy(episode.observations[0:140][steps].copy()),
            actions=torch.from_numpy(episode.actions[steps]),
            states=None if episode.states is None else torch.from_numpy(episode.states[steps]),
            episodes=np.zeros(FRAMES, np.int64),
            steps=steps,
        )
    return Case(name=name, weights=agent.spec.name, policy=agent.policy, frames=frames)


def cases() -> list[Case]:
    """The shipped Pong agent, and the public baby-a3c agent where it is at hand."""
    found = [played("Nature CNN, pong", REPOSITORY / "agents" / "pong-ppo")]
    public = POLICIES / "baby-a3c" / "pong" / "model.80.tar"
    if public.is_file():
        found.append(played("baby-a3c, pong", public, env="Pong-v4"))
    return found


def medians(
    contenders: Mapping[Name, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[Name, float]:
    """Median milliseconds of each contender, taking turns; the first turn is not counted."""
    times: dict[Name, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, call in contenders.items():
            start = clock()
            call()
            if turn:
                times[name].append(1e3 * (clock() - start))
    return {name: statistics.median(found) for name, found in times.items()}


def explainer(policy: Policy, targets: tuple[str, ...], threads: int) -> PerturbationExplainer:
    """Our maps as a user gets them."""
    masks = gaussian_masks(policy.observation_shape[1:], RADIUS, STRIDE)
    spec = PerturbationSpec(
        masks=masks,
        planes="all",
        reference=f"blur:{BLUR}",
        asked=AskedOptions(targets=targets),
    )
    compute = Compute(threads=threads, memory_bytes=MEMORY)
    return PerturbationExplainer(policy, compute, RecordingFacts(), spec)


def some(frames: FrameBatch, count: int) -> FrameBatch:
    """The first ``count`` frames."""
    return FrameBatch(
        observations=frames.observations[:count],
        actions=frames.actions[:count],
        states=None if frames.states is None else frames.states[:count],
        episodes=frames.episodes[:count],
        steps=frames.steps[:count],
    )


class Contenders:
    """Ready-to-time calls on the first frame or on all frames of a case."""

    def __init__(self, case: Case) -> None:
        self.case, policy = case, case.policy
        self.one = some(case.frames, 1)
        masks = gaussian_masks(policy.observation_shape[1:], RADIUS, STRIDE)
        _, selections = plane_selections("all", policy.observation_shape[0])
        self.perturbation = MaskedPlanes(masks=torch.from_numpy(masks.masks), selections=selections)
        self.references = blur(case.frames.observations, BLUR)
        self.action = int(self.one.actions[0])

    def loop(self, target: str, threads: int) -> np.ndarray:
        """The literature's loop on one frame."""
        observation = self.one.observations[0].numpy()
        with torch_threads(threads):
            return literature_map(
                self.case.policy, observation, self.one.states, self.action, TARGETS[target]
            )

    def loops(self, threads: int) -> None:
        """A loop for each target."""
        for target in TARGETS:
            self.loop(target, threads)

    def best_loop(self) -> int:
        """The number of torch threads with which single forward passes are fastest."""

        def passes(threads: int) -> None:
            with torch_threads(threads), torch.inference_mode():
                for _ in range(20):
                    self.case.policy(self.one.observations, self.one.states)

        found = medians({n: partial(passes, n) for n in (1, CORES)}, 3, time.perf_counter)
        return min(found, key=lambda threads: found[threads])

    def captum(self, setting: tuple[int, int]) -> Tensor:
        """Captum on one frame: (masks at once, torch threads). Blurs the reference, as all do."""
        at_once, threads = setting
        with torch_threads(threads):
            make = CaptumMap(self.case.policy, self.perturbation.masks, _kl)
            reference = blur(self.one.observations, BLUR)[0]
            observation = self.one.observations[0]
            return make(observation, reference, self.one.states, self.action, at_once)

    def best_captum(self, threads: Sequence[int]) -> tuple[int, int]:
        """The fastest setting: masks at once for one thread, then the number of threads."""
        sizes = (8, 16, 32, 64, 128, len(self.perturbation.masks))
        calls = {(n, threads[0]): partial(self.captum, (n, threads[0])) for n in sizes}
        found = medians(calls, 2, time.perf_counter)
        best, _ = min(found, key=lambda setting: found[setting])
        calls = {(best, n): partial(self.captum, (best, n)) for n in threads}
        found = medians(calls, 2, time.perf_counter)
        return min(found, key=lambda setting: found[setting])

    def engine(self, module, threads: int, frames: int) -> Callable[[], object]:
        """One of our engines alone, on some frames."""
        built = module.build(
            self.case.policy, self.perturbation, memory_bytes=MEMORY, threads=threads
        )
        few = some(self.case.frames, frames)
        return lambda: built(few.observations, self.references[:frames], few.states)

    def engine_on_noise(self) -> Callable[[], object]:
        """The incremental engine where nothing is flat, so that nothing can be left out."""
        built = incremental.build(
            self.case.policy, self.perturbation, memory_bytes=MEMORY, threads=1
        )
        noise = torch.rand(self.one.observations.shape, generator=torch.Generator().manual_seed(1))
        return lambda: built(noise, blur(noise, BLUR), self.one.states)


def one_thread(with_: Contenders, rounds: int) -> dict[str, float]:
    """CPU milliseconds of one map with one thread."""
    torch.set_num_threads(1)
    ours, setting = explainer(with_.case.policy, ("kl",), 1), with_.best_captum([1])
    found = medians(
        {
            "literature": lambda: with_.loop("kl", 1),
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
    return found | medians(engines, 3 * rounds, time.process_time)


def all_cores(with_: Contenders, rounds: int) -> dict[str, float]:
    """Wall milliseconds of one map with all cores; ours as a share of ``FRAMES`` maps."""
    torch.set_num_threads(CORES)
    frames, policy = with_.case.frames, with_.case.policy
    single, four = (explainer(policy, t, CORES) for t in (("kl",), tuple(TARGETS)))
    setting, loop_threads = with_.best_captum([1, CORES]), with_.best_loop()
    few = medians({"four loops": partial(with_.loops, loop_threads)}, 1, time.perf_counter)
    found = medians(
        {
            "literature": lambda: with_.loop("kl", loop_threads),
            f"captum, {setting[0]} at once": lambda: with_.captum(setting),
            "ours, 8 frames": lambda: single(frames),
            "ours, four targets, 8 frames": lambda: four(frames),
            "ours, one frame alone": lambda: single(with_.one),
        },
        rounds,
        time.perf_counter,
    )
    engines = {
        "one worker, 8 frames": with_.engine(incremental, 1, FRAMES),
        "two workers, 8 frames": with_.engine(incremental, 2, FRAMES),
    }
    found |= few | medians(engines, 2 * rounds, time.perf_counter)
    return {
        name.replace("8 frames", "a frame"): value / (FRAMES if "8 frames" in name else 1)
        for name, value in found.items()
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
    return {
        "literature / ours, one target, one thread, CPU": cpu["literature"] / cpu["ours"],
        "literature / ours, one target, all cores, wall": wall["literature"]
        / wall["ours, a frame"],
        "four loops / ours, four targets, all cores, wall": wall["four loops"]
        / wall["ours, four targets, a frame"],
        "captum / ours, one target, all cores, wall": captum / wall["ours, a frame"],
        "one worker / two workers, wall": wall["one worker, a frame"]
        / wall["two workers, a frame"],
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
