"""Ready-to-time calls of the saliency benchmark: our engines, the literature's loops, captum."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
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
from agentlens.saliency.engine import incremental
from agentlens.saliency.engine.base import MaskedPlanes
from agentlens.saliency.engine.settings import torch_threads
from agentlens.saliency.masks import gaussian_masks, plane_selections
from agentlens.saliency.options import AskedOptions
from agentlens.saliency.perturb import PerturbationExplainer, PerturbationSpec
from agentlens.saliency.references import blur
from benchmarks.baselines import BLUR, RADIUS, STRIDE, CaptumMap, Score, careful_map, literature_map

REPOSITORY = Path(__file__).resolve().parent.parent
POLICIES = Path(os.environ.get("AGENTLENS_POLICIES", REPOSITORY.parent / "shared" / "policies"))
CORES = os.cpu_count() or 1
MEMORY = 1 << 30
FRAMES = 8
"""Frames of a call in wall-time figures."""

Name = TypeVar("Name", bound=Hashable)


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


PUBLISHED = ("kl", "value_l2")
"""One target of the actor and one of the critic."""


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

    def careful_loop(self, target: str, threads: int) -> np.ndarray:
        """The loop with masks made once and one blur a frame."""
        observation = self.one.observations[0].numpy()
        masks = self.perturbation.masks.numpy()
        with torch_threads(threads):
            return careful_map(
                self.case.policy, observation, self.one.states, self.action, TARGETS[target], masks
            )

    def published_loops(self, threads: int) -> None:
        """A careful loop for the actor and one for the critic, as Greydanus et al. draw both."""
        for target in PUBLISHED:
            self.careful_loop(target, threads)

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
