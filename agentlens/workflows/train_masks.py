"""Learn a mask network for an agent from its recordings, and hold it against what it stands for.

Shape letters: F frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d

from agentlens.compute import Compute
from agentlens.drawing.upsample import plane_upsampler
from agentlens.errors import InvalidArgument
from agentlens.mapping import decode, encode
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.saliency.base import Explainer, FrameBatch, RecordingFacts
from agentlens.saliency.frames import read_frames, recording_facts
from agentlens.saliency.masks import plane_selections
from agentlens.saliency.methods.lan import Lan
from agentlens.saliency.optimise.explainer import learned_targets
from agentlens.saliency.optimise.fills import FillSource
from agentlens.saliency.optimise.network import MaskNetwork, MaskNetworkSpec
from agentlens.saliency.optimise.problem import MASK_NETWORK
from agentlens.saliency.optimise.relaxation import cell_grid
from agentlens.saliency.optimise.solver import MaskTask
from agentlens.saliency.optimise.training import (
    TrainingPlan,
    TrainingRow,
    TrainingState,
    start_training,
    teach,
    train,
)
from agentlens.saliency.question import ask
from agentlens.store.artefacts import (
    Artefact,
    read_artefact,
    refuse_existing,
    remove_artefact,
    write_artefact,
)
from agentlens.store.recording import Episode, Recording, open_recording
from agentlens.workflows.mask_gate import MaskGate, bind_gate, measure_gate, sweeping

CHECKPOINT = "unfinished mask network"
"""Purpose of the artefact that a run which is not done leaves in FOLDER/unfinished."""

_CHECKPOINT_EVERY = 50
_HALF = 0.3
"""A place with this share of the largest score of its frame is to have a map of a half."""

_HELD_OUT = 0.2
"""The share of the last recording's last episode that is kept from learning, where it is alone."""


_LAN, _PLAN = Lan(), TrainingPlan()


@dataclass(frozen=True, kw_only=True)
class TrainedMasks:
    """What ``train_masks`` wrote: ``folder``, and how it did on held-out steps.

    ``rows``: the learning curve of this run, empty where an earlier one had learned all.
    ``last``: of the last update, whichever run made it.
    """

    folder: Path
    rows: tuple[TrainingRow, ...]
    last: TrainingRow
    gate: MaskGate


@dataclass(frozen=True, kw_only=True, eq=False)
class _Material:
    """Steps to learn from and steps kept back, of one agent."""

    recording: Recording
    agent: Agent
    method: Lan
    facts: RecordingFacts
    learn: tuple[tuple[Episode, np.ndarray], ...]
    held_out: tuple[Episode, np.ndarray]

    def batch(self, number: int, size: int, seed: int) -> FrameBatch:
        """The frames of an update: the same number, the same frames."""
        generator = np.random.default_rng([seed, number])
        sizes = np.array([len(steps) for _, steps in self.learn], float)
        episode, steps = self.learn[int(generator.choice(len(sizes), p=sizes / sizes.sum()))]
        chosen = np.sort(generator.choice(steps, size, replace=len(steps) < size))
        return read_frames(episode, chosen, self.agent.policy, self.method)


def train_masks(
    recordings: Sequence[Recording | Path | str],
    output: Path | str,
    *,
    method: Lan = _LAN,
    plan: TrainingPlan = _PLAN,
    compute: Compute = Compute(),
    resume: bool = False,
    progress: Progress = silent,
    learning: Callable[[TrainingRow], None] = lambda row: None,
) -> TrainedMasks:
    """Learn a network that says at once what ``method`` finds by optimising, and measure it.

    Args:
        recordings: of one agent; the last episode, or the last fifth of a single one, is held
            out and measures the network.
        output: folder of the artefact.
        method: what is wanted of the masks; ``explain`` then takes ``Lan(network=output)``.
        plan: how long.
        compute: where.
        resume: go on with what an interrupted run left in ``output``.
        progress: called with updates done and to do.
        learning: called with every line of the learning curve.

    Raises:
        InvalidArgument: recordings of several agents, or none with 100 steps; nothing to resume.
        AlreadyExists: the folder holds an artefact.
    """
    material = _material([open_recording(r) for r in recordings], method, compute)
    task = _task(material)
    methods = bind_gate(task, compute, _sweeping_facts(material, task))
    folder = Path(output)
    refuse_existing(folder)
    network = _fresh_network(material, task, compute)
    state = start_training(task, network, plan)
    about = _about(material, task, network.spec, plan)
    if not resume and plan.teacher_frames and plan.teacher_updates:
        _teach(state, plan, task, material, methods.perturbation)
    rows: list[TrainingRow] = []
    last = None
    if resume:
        last = _load_state(state, read_artefact(folder / "unfinished", CHECKPOINT), about)
    for last in train(task, state, plan, lambda n: material.batch(n, plan.batch, plan.seed)):
        rows.append(last)
        learning(last)
        if last.update % _CHECKPOINT_EVERY == 0 or last.update == plan.updates:
            _save_state(folder / "unfinished", state, about, material.agent, last)
        progress(last.update, plan.updates)
    assert last is not None  # a plan has updates
    network = state.network.eval().requires_grad_(False)
    gate = measure_gate(task, methods, network, _held_out_frames(material))
    artefact = Artefact(
        purpose=MASK_NETWORK,
        agent=material.agent.spec.sha256,
        about={**about, "gate": gate.as_json(), "last": encode(last), **provenance()},
        tensors=network.tensors(),
    )
    write_artefact(folder, artefact)
    remove_artefact(folder / "unfinished")
    return TrainedMasks(folder=folder, rows=tuple(rows), last=last, gate=gate)


def _material(recordings: Sequence[Recording], method: Lan, compute: Compute) -> _Material:
    if not recordings:
        raise InvalidArgument("no recording to learn from: give one or more.")
    weights = {r.header.agent.sha256 for r in recordings}
    if len(weights) != 1:
        raise InvalidArgument(
            f"recordings of {len(weights)} agents: a mask network is learned for one."
        )
    agent = recorded_agent(recordings[0], device=compute.device)
    episodes = [e for r in recordings for e in r.episodes if len(e) >= 100]
    if not episodes:
        raise InvalidArgument("no episode of 100 steps or more to learn from: record a longer one.")
    facts = recording_facts(recordings[0], method)
    learn: tuple[tuple[Episode, np.ndarray], ...]
    held_out: tuple[Episode, np.ndarray]
    if len(episodes) == 1:
        cut = int(len(episodes[0]) * (1 - _HELD_OUT))
        every = np.arange(len(episodes[0]))
        learn, held_out = ((episodes[0], every[:cut]),), (episodes[0], every[cut:])
    else:
        learn = tuple((e, np.arange(len(e))) for e in episodes[:-1])
        held_out = (episodes[-1], np.arange(len(episodes[-1])))
    return _Material(
        recording=recordings[0],
        agent=agent,
        method=method,
        facts=facts,
        learn=learn,
        held_out=held_out,
    )


def _fresh_network(material: _Material, task: MaskTask, compute: Compute) -> MaskNetwork:
    """A network of the right shape that knows the recording's background."""
    spec = MaskNetworkSpec(
        observation=task.policy.observation_shape,
        state=task.policy.state_size,
        selections=len(task.selections),
        cells=task.grid.shape,
        colours=task.policy.channels,
    )
    network = MaskNetwork(spec).to(choose_device(compute.device))
    network.background.copy_(torch.from_numpy(_background(material)))
    return network


def _background(material: _Material) -> np.ndarray:
    """The median frame of the first recording: float32 [H, W], in colour [C, H, W]."""
    return recording_facts(material.recording, Lan(fill="median")).pictures["median"]


def _task(material: _Material) -> MaskTask:
    policy, method = material.agent.policy, material.method
    if method.memory:
        raise InvalidArgument("a mask network learns with memory 0: this frame, memory fixed.")
    grid = cell_grid(policy.observation_shape[1:], method.cell_px)
    _, selections = plane_selections(method.planes, policy.observation_shape[0], policy.channels)
    return MaskTask(
        problem=method.problem,
        policy=policy,
        question=ask(policy, method, material.facts),
        target=learned_targets(policy, method, method.usual_target)[0],
        grid=grid,
        selections=selections,
        fills=FillSource(
            fill=method.fill, pictures=material.facts.pictures, cells=grid.shape, seed=method.seed
        ),
    )


def _sweeping_facts(material: _Material, task: MaskTask) -> RecordingFacts:
    """What the recording gives the methods that hide one place after the other."""
    return recording_facts(material.recording, sweeping(task))


def _about(
    material: _Material, task: MaskTask, spec: MaskNetworkSpec, plan: TrainingPlan
) -> dict[str, Any]:
    policy = task.policy
    names, _ = plane_selections(
        material.method.planes, policy.observation_shape[0], policy.channels
    )
    return {
        "network": encode(spec),
        "planes": list(names),
        "target": task.target,
        "problem": encode(task.problem),
        "plan": encode(plan),
        "agent_name": material.agent.spec.name,
        "learned_from_steps": int(sum(len(steps) for _, steps in material.learn)),
    }


def _held_out_frames(material: _Material, count: int = 64) -> FrameBatch:
    episode, steps = material.held_out
    chosen = steps[np.unique(np.linspace(0, len(steps) - 1, count).astype(int))]
    return read_frames(episode, chosen, material.agent.policy, material.method)


def _teach(
    state: TrainingState,
    plan: TrainingPlan,
    task: MaskTask,
    material: _Material,
    teacher: Explainer,
) -> None:
    """Begin with what perturbation maps say: the square root of a place's score over itself plus
    0.3 of the largest in its frame."""
    parts = [
        material.batch(10_000_000 + number, 16, plan.seed)
        for number in range(-(-plan.teacher_frames // 16))
    ]
    swept = torch.cat([teacher(part).values[:, 0, 0] for part in parts]).abs().sqrt()
    enlarge = plane_upsampler(teacher.grid)
    pixels = torch.from_numpy(np.stack([enlarge(m) for m in swept.cpu().numpy()]))
    cells = adaptive_avg_pool2d(pixels[:, None], task.grid.shape)
    largest = cells.amax((1, 2, 3), keepdim=True)
    shares = cells / (cells + _HALF * largest + 1e-12)
    shares = shares.expand(-1, len(task.selections), -1, -1)
    with torch.inference_mode(False), torch.enable_grad():
        for _ in teach(state, plan, parts, shares):
            pass


def _save_state(
    folder: Path, state: TrainingState, about: dict[str, Any], agent: Agent, row: TrainingRow
) -> None:
    """Write everything that the next update and the end need, replacing what was there."""
    tensors = {f"network.{k}": v for k, v in state.network.tensors().items()}
    moments = state.optimiser.state_dict()["state"]
    for index, values in moments.items():
        for name in ("exp_avg", "exp_avg_sq"):
            tensors[f"adam.{index}.{name}"] = values[name].cpu().numpy()
    artefact = Artefact(
        purpose=CHECKPOINT,
        agent=agent.spec.sha256,
        about={
            **about,
            "last": encode(row),
            "weight": state.weight,
            "adam_steps": int(moments[0]["step"]),
        },
        tensors=tensors,
    )
    write_artefact(folder, artefact, force=True)


def _load_state(state: TrainingState, artefact: Artefact, about: dict[str, Any]) -> TrainingRow:
    """Go on from a checkpoint of the same settings, after the update whose row is returned.

    Raises:
        InvalidArgument: it was learned with others.
        ManifestError: it does not hold the last update's row.
    """
    different = [key for key, value in about.items() if artefact.about.get(key) != value]
    if different:
        raise InvalidArgument(
            f"the unfinished network was learned with other settings ({', '.join(different)}): "
            "give those again, or another folder."
        )
    own = {k.removeprefix("network."): v for k, v in artefact.tensors.items() if "network." in k}
    state.network.load_state_dict({k: torch.tensor(v) for k, v in own.items()})
    last = decode(TrainingRow, artefact.about.get("last", {}), "last")
    state.update, state.weight = last.update, float(artefact.about["weight"])
    moments = {}
    for index, _ in enumerate(state.network.parameters()):
        moments[index] = {
            "step": torch.tensor(float(artefact.about["adam_steps"])),
            **{
                name: torch.tensor(artefact.tensors[f"adam.{index}.{name}"])
                for name in ("exp_avg", "exp_avg_sq")
            },
        }
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return last
