"""The whole job, from an agent to its video, against the serial way of doing it.

    python -m benchmarks.pipeline [--steps N] [--sample N]

Ours: ``record``, ``explain`` (actor and critic) and ``render`` (the full layout at 3x) as a user
calls them. The serial way, for each step: one decision; two maps, one of the actor and one of the
critic, each by one forward pass a mask, with mask and blur made anew, and a second time with masks
made once and one blur a frame; a matplotlib figure; a frame
through imageio's writer. It is so slow that a sample of steps is timed, one half before our maps
and the other after our video, and multiplied by the number of steps: the result says so. Its
figure is the cheaper compact layout, its artists are kept, and torch gets the number of threads
that suits it best; nothing is recorded.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.drawing.draw import Draw
from agentlens.drawing.film import Film
from agentlens.drawing.layout import arrange
from agentlens.drawing.render import render
from agentlens.policies.agent import Agent, load_agent
from agentlens.rollout.outputs import evaluate
from agentlens.rollout.play import Play
from agentlens.rollout.player import Player
from agentlens.rollout.recorder import record
from agentlens.rollout.seeds import episode_seed
from agentlens.rollout.selection import choose_action
from agentlens.saliency.engine.settings import torch_threads
from agentlens.saliency.explain import explain
from agentlens.saliency.masks import gaussian_masks
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.store.recording import Episode
from benchmarks.baselines import RADIUS, STRIDE, careful_map, literature_map
from benchmarks.contenders import TARGETS, medians
from benchmarks.render import Rival
from benchmarks.results import write_result

MAPS = ("kl", "value_l2")
SEED = 2
ANEW, SHARED = "two maps", "two maps with shared masks and blur"


class Clock:
    """Wall and CPU seconds by stage."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens inside to a stage."""
        began, used = time.perf_counter(), time.process_time()
        yield
        self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - began
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - used


def best_threads(agent: Agent, observation: np.ndarray) -> int:
    """The number of torch threads with which single forward passes are fastest."""
    one = torch.from_numpy(observation)[None]

    def passes(threads: int) -> None:
        with torch_threads(threads), torch.inference_mode():
            for _ in range(20):
                agent.policy(one)

    settings = (1, os.cpu_count() or 1)
    found = medians({n: partial(passes, n) for n in settings}, 3, time.perf_counter)
    return min(found, key=lambda threads: found[threads])


def play(agent: Agent, steps: int) -> None:
    """Decisions with nothing kept."""
    player = Player(agent.spec, agent.policy.state_size)
    player.begin(episode_seed(SEED, 0))
    for _ in range(steps):
        said = evaluate(agent.policy, torch.device("cpu"), [player.observation], [player.state])[0]
        player.play(choose_action(agent.spec.action, said, player.generator), said)


def two_maps(
    agent: Agent,
    episode: Episode,
    steps: Sequence[int],
    *,
    threads: int,
    masks: np.ndarray | None = None,
) -> None:
    """The actor's and the critic's map of each step, one forward pass a mask; with masks at hand
    also one blur a frame."""
    with torch_threads(threads):
        for step in steps:
            observation = episode.observations[step : step + 1][0]
            action = int(episode.actions[step])
            for target in MAPS:
                scored = agent.policy, observation, None, action, TARGETS[target]
                if masks is None:
                    literature_map(*scored)
                else:
                    careful_map(*scored, masks)


def figures(film: Film, frames: Sequence[int], output: Path, clock: Clock) -> None:
    """A matplotlib figure of each frame, through imageio's writer with its defaults."""
    contexts = [film.context(frame) for frame in frames]
    rival = Rival(contexts[0], arrange(film.scene, Draw(layout="compact", scale=3)).size)
    pictures = []
    with clock.stage("figure"):
        for context in contexts:
            pictures.append(np.array(rival(context)[..., :3]))
    with clock.stage("encode"):
        iio.imwrite(output, pictures, plugin="pyav", codec="libx264", fps=15)


def measure(steps: int, sample: int, folder: Path) -> dict[str, object]:
    """Both ways, in turns."""
    agent, ours, serial = load_agent("pong-ppo"), Clock(), Clock()
    with ours.stage("record"):
        recording = record(
            agent,
            output=folder / "r",
            play=Play(seed=SEED, max_steps=steps),
            compute=Compute(device="cpu"),
        )
    episode = recording.episodes[0]
    chosen = np.linspace(0, steps - 1, sample).astype(int).tolist()
    threads = best_threads(agent, episode.observations[0:1][0])
    part = partial(two_maps, agent, episode, threads=threads)
    masks = gaussian_masks(agent.policy.observation_shape[1:], RADIUS, STRIDE).masks
    with serial.stage(ANEW):
        part(chosen[::2])
    with serial.stage(SHARED):
        part(chosen[::2], masks=masks)
    with ours.stage("explain"):
        maps = explain(recording, Perturbation(targets=MAPS), compute=Compute(device="cpu"))
    with ours.stage("render"):
        render(recording, maps, folder / "ours.mp4")
    with serial.stage(ANEW):
        part(chosen[1::2])
    with serial.stage(SHARED):
        part(chosen[1::2], masks=masks)
    with serial.stage("play"):
        play(agent, sample)
    figures(Film(recording, maps), chosen, folder / "theirs.mp4", serial)
    each = {name: spent / sample for name, spent in serial.wall.items()}
    total = sum(ours.wall.values())
    theirs = {
        left_out: steps * sum(spent for name, spent in each.items() if name != left_out)
        for left_out in (ANEW, SHARED)
    }
    spent = {name: steps / sample * cpu for name, cpu in serial.cpu.items()}
    cpu = sum(ours.cpu.values()), sum(spent.values()) - spent[SHARED]
    return {
        "agent": agent.spec.name,
        "steps": steps,
        "forward_passes_a_map": maps.header.forward_passes,
        "ours_wall_s": {**ours.wall, "total": total},
        "serial_steps_timed": sample,
        "serial_torch_threads": threads,
        "serial_wall_s_a_step": each,
        "serial_wall_s_multiplied_to_all_steps": theirs[SHARED],
        "ratio": theirs[SHARED] / total,
        "ratio_with_shared_masks_and_blur": theirs[ANEW] / total,
        "ours_cpu_s": {**ours.cpu, "total": cpu[0]},
        "serial_cpu_s_multiplied_to_all_steps": cpu[1],
        "ratio_of_cpu_time": cpu[1] / cpu[0],
    }


def main() -> None:
    """Measure, print and keep the result."""
    parser = argparse.ArgumentParser(description="Time the whole pipeline.")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--sample", type=int, default=6, help="steps of the serial way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options.steps, options.sample, Path(folder))
    for name, value in found.items():
        print(f"{name}: {value}")
    print(f"ratio {found['ratio']:.1f}x, wanted 30, aim 60")
    print(f"written to {write_result('pipeline', found)}")


if __name__ == "__main__":
    main()
