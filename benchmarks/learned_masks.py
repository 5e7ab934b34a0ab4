"""What learned masks show: how much of them lies on Pong's ball, and whether they find a cause.

    python -m benchmarks.learned_masks [--agents pong-ppo pong-recurrent] [--frames 208] [--causes]

Each agent plays two games; states with the ball in sight in every plane are spread evenly over
them. ``ball``: the share of a map's mass within 2.5 observation pixels of the ball, in any plane
of the stack, over the share of the area that this is. ``keeps``: the share of decisions (greedy,
actions that do the same merged) that survive when only the strongest tenth of a map stays and the
rest is taken from another recorded observation (mean of four); ``median``: the same with the
median of the recording.
``ghosts``: the share of a learned map between .2 and .8, neither kept nor hidden.
*Decided* are the states in which erasing the ball moves the policy by more than .1 nats.

Beside the learned masks stand maps of the same policy with every layer drawn anew, judged on the
real one; controls that know no policy; and the perturbation maps.

``--causes``: the learned methods on the mosaic instead, whose causal cell is known. Figures go to
benchmarks/results/masks; `python -m benchmarks.trust_page --write` puts them into docs/trust.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.envs.alike import merge_groups
from agentlens.metrics._edges import edge_maps
from agentlens.metrics._pixels import to_pixels, top_pixels
from agentlens.metrics._randomised import randomised_policy
from agentlens.metrics._recorded import frames_of, joined, median_picture, part
from agentlens.metrics._states import States
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy
from agentlens.rollout.play import Play
from agentlens.rollout.recorder import record
from agentlens.saliency.base import FrameBatch, LearnedArtefact, RecordingFacts, SaliencyMethod
from agentlens.saliency.frames import recording_facts
from agentlens.saliency.methods.extremal import Extremal
from agentlens.saliency.methods.fido import Fido
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.methods.meaningful_perturbation import MeaningfulPerturbation
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.optimise.loss import ghost_share
from agentlens.saliency.optimise.options import LearnedMaskOptions
from agentlens.store.artefacts import read_artefact
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.bench import bench_causes
from benchmarks.decisive_frames import ball_masks, ball_places
from benchmarks.results import MASKS, write_result

AGENTS = Path(__file__).resolve().parent.parent / "agents"

AREA = 0.1
"""Share of the observation that stays."""

DECIDED = 0.1
"""Nats by which erasing the ball must move the policy."""

DRAWS = 4
"""Other observations that stand in the hidden part, for each state."""

CHUNK = 16
"""States of one call: the batch of the optimiser."""

CAUSES: dict[str, LearnedMaskOptions] = {
    "lan": Lan(),
    "extremal, preserve": Extremal(),
    "extremal, destroy": Extremal(goal="destroy"),
    "extremal, preserve, from kl": Extremal(targets=("kl",)),
    "extremal, destroy, from kl": Extremal(goal="destroy", targets=("kl",)),
    "meaningful-perturbation": MeaningfulPerturbation(),
    "fido": Fido(),
}
"""What is held against the mosaic, by name."""

HEADINGS = ("maps", "ball, x area", "ball, decided", "keeps", "median", "ghosts", "ms a state")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """States of an agent with the ball in sight.

    ``ball``: bool [F, H, W], near the ball in some plane. ``decided``: bool [F]. ``others``:
    float32 [F, K, H, W] each, other observations of the recording for the states.
    """

    recording: Recording
    agent: Agent
    states: States
    ball: np.ndarray
    decided: np.ndarray
    others: tuple[torch.Tensor, ...]

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Actions that do the same."""
        spec = self.agent.spec
        groups = merge_groups(spec.environment.game, spec.action.meanings)
        return groups or tuple((i,) for i in range(len(spec.action.meanings)))


def scene_of(recording: Recording, count: int) -> Scene:
    """The states of a recording that are asked about, ``count`` at most."""
    agent = load_agent(recording.folder / "agent")
    depth = recording.header.agent.observation.stack
    every = [frames_of(episode, np.arange(40, len(episode), 3)) for episode in recording.episodes]
    frames = joined(every)
    places = ball_places(recording, frames, depth)
    rows = np.flatnonzero(np.isfinite(places[..., 0]).all(1))
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
    frames, places = part(frames, rows), places[rows]
    masks = ball_masks(places, recording.header.agent.observation.resize)
    states = States(
        policy=agent.policy,
        frames=frames,
        median=median_picture(recording),
        explained=frames.actions.numpy(),
    )
    hidden = frames.observations + torch.from_numpy(masks) * (
        states.fill("median") - frames.observations
    )
    index = np.arange(len(states))
    effect = states.effect(states.evaluate(hidden, index), index)
    bank = recording_facts(recording, Lan(fill="frames")).pictures["frames"]
    drawn = np.random.default_rng(0).integers(0, len(bank), (DRAWS, len(states)))
    return Scene(
        recording=recording,
        agent=agent,
        states=states,
        ball=masks.any(1),
        decided=effect > DECIDED,
        others=tuple(torch.from_numpy(bank[rows]) for rows in drawn),
    )


def method_maps(
    method: SaliencyMethod, policy: Policy, facts: RecordingFacts, frames: FrameBatch
) -> np.ndarray:
    """Maps on pixels: float64 [F, H, W]."""
    explainer = method.bind(policy, Compute(), facts)
    values = []
    for start in range(0, len(frames), CHUNK):
        chosen = np.arange(start, min(start + CHUNK, len(frames)))
        values.append(explainer(part(frames, chosen)).values[:, 0].abs().sum(1))
    return to_pixels(torch.cat(values).double().numpy(), explainer.grid)


def figures(scene: Scene, maps: np.ndarray) -> dict[str, float]:
    """A row of the table, without its time."""
    total = maps.sum((1, 2))
    share = np.divide((maps * scene.ball).sum((1, 2)), total, out=0 * total, where=total > 0)
    times = share / scene.ball.mean((1, 2))
    hidden = 1 - top_pixels(maps, AREA)
    return {
        "ball": float(times.mean()),
        "ball_decided": float(times[scene.decided].mean()),
        "ghosts": ghost_share(torch.tensor(maps)),
        "keeps": float(np.mean([kept(scene, hidden, other) for other in scene.others])),
        "keeps_median": kept(scene, hidden, scene.states.fill("median")),
    }


def kept(scene: Scene, hidden: np.ndarray, fill: torch.Tensor) -> float:
    """The share of greedy decisions, actions merged, that survive hiding [F, H, W]."""
    states = scene.states
    observations = states.frames.observations
    region = torch.from_numpy(hidden)[:, None]
    changed = states.evaluate(observations + region * (fill - observations), np.arange(len(states)))
    before, after = (merged(scene, p).argmax(1) for p in (states.preferences, changed))
    return float((before == after).mean())


def merged(scene: Scene, preferences: np.ndarray) -> np.ndarray:
    """Probabilities of groups of actions that do the same: [F, G] of logits [F, A]."""
    shares = np.exp(preferences - preferences.max(1, keepdims=True))
    return np.stack([shares[:, list(group)].sum(1) for group in scene.groups], 1)


def makers(scene: Scene, network: Path | None) -> dict[str, Callable[[], np.ndarray]]:
    """What makes the maps of each row."""
    policy, frames, recording = scene.agent.policy, scene.states.frames, scene.recording
    anew, shape = randomised_policy(policy, 0), scene.ball.shape
    lan, swept = Lan(), Perturbation()
    own, median = recording_facts(recording, lan), recording_facts(recording, swept)
    rows = {
        "lan, found for each state": lambda: method_maps(lan, policy, own, frames),
        "lan, of the policy drawn anew": lambda: method_maps(lan, anew, own, frames),
        "perturbation": lambda: method_maps(swept, policy, median, frames),
        "perturbation, of the policy drawn anew": lambda: method_maps(swept, anew, median, frames),
        "edges": lambda: to_pixels(*edge_maps(frames.observations, policy.channels)),
        "random": lambda: np.random.default_rng(0).random(shape),
    }
    if network is None:
        return rows
    learned = read_artefact(network, "mask network")
    facts = dataclasses.replace(own, artefact=LearnedArtefact(learned.about, learned.tensors))
    quick = Lan(network=str(network))

    def mean_mask() -> np.ndarray:
        maps = method_maps(quick, policy, facts, frames)
        return np.broadcast_to(maps.mean(0), maps.shape)

    return {
        "lan, mask network": lambda: method_maps(quick, policy, facts, frames),
        "its mean over the states": mean_mask,
        **rows,
    }


def measure(scene: Scene, network: Path | None) -> dict[str, dict[str, float]]:
    """All rows of an agent, printed as they come."""
    spec, table = scene.agent.spec, {}
    print(f"\n{spec.name}: {len(scene.states)} states, {scene.decided.sum()} decided by the ball\n")
    print("| " + " | ".join(HEADINGS) + " |\n|" + "---|" * len(HEADINGS))
    for name, make in makers(scene, network).items():
        start = time.perf_counter()
        maps = make()
        seconds = (time.perf_counter() - start) / len(maps)
        row = table[name] = {**figures(scene, maps), "milliseconds": 1000 * seconds}
        cells = (
            f"{row['ball']:.1f}",
            f"{row['ball_decided']:.1f}",
            f"{row['keeps']:.2f}",
            f"{row['keeps_median']:.2f}",
            f"{row['ghosts']:.2f}" if name.startswith("lan") else "",
            f"{row['milliseconds']:.0f}" if seconds > 1e-3 else f"{row['milliseconds']:.1f}",
        )
        print("| " + " | ".join((name, *cells)) + " |", flush=True)
    return table


def causes(states: int) -> dict[str, Any]:
    """The learned methods on the mosaic, a row each, printed as they come."""
    rows: dict[str, dict[str, float]] = {}
    for name, method in CAUSES.items():
        (score,) = bench_causes([method], states=states, compute=Compute(threads=1)).scores
        rows[name] = {
            "cell accuracy": score.cell_accuracy,
            "mass share": score.mass_share,
            "AUC": score.area,
            "cover": score.cover,
            "re-initialised": score.forgotten,
        }
        print(name, {key: round(value, 3) for key, value in rows[name].items()}, flush=True)
    return {"states": states, "rows": rows}


def recorded(name: str, folder: Path) -> Recording:
    """Two games of an agent, played once."""
    if (folder / "recording.json").exists():
        return open_recording(folder)
    return record(load_agent(name), output=folder, play=Play(episodes=2, seed=11))


def main() -> None:
    """Play, explain, print a table an agent."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--agents", nargs="+", default=["pong-ppo", "pong-recurrent"])
    parser.add_argument("--frames", type=int, default=208)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--recordings", type=Path, help="kept and used again; temporary if not given"
    )
    parser.add_argument("--networks", type=Path, default=AGENTS, help="holds AGENT/masks")
    parser.add_argument("--causes", action="store_true", help="the mosaic instead of Pong")
    parser.add_argument("--states", type=int, default=100, help="of the mosaic")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.causes:
        print(f"written to {write_result('causes', causes(options.states), folder=MASKS)}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.agents:
            recording = recorded(name, (options.recordings or Path(temporary)) / name)
            masks = options.networks / name / "masks"
            network = masks if masks.is_dir() else None
            scene = scene_of(recording, options.frames)
            figures = {
                "states": len(scene.states),
                "decided": int(scene.decided.sum()),
                "rows": measure(scene, network),
            }
            print(f"written to {write_result(name, figures, folder=MASKS)}")


if __name__ == "__main__":
    main()
