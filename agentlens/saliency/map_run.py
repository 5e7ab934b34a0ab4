"""One computation of maps: everything settled before the first map, then checked and written.

With ``explain`` and ``frames`` the only files of this package that meet the store.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.envs.atari.objects import objects_of
from agentlens.errors import Corrupt, DeviceError, Interrupted, InvalidArgument, ShapeError
from agentlens.policies.agent import Agent, recorded_agent
from agentlens.policies.base import Policy
from agentlens.progress import Progress
from agentlens.provenance import provenance
from agentlens.saliency.base import (
    Explainer,
    FrameBatch,
    LearnedArtefact,
    MapBatch,
    RecordingFacts,
    SaliencyMethod,
)
from agentlens.saliency.checks import check_maps, check_outputs, measure_noise
from agentlens.saliency.chosen_steps import Steps, choose_steps
from agentlens.saliency.configure import configure, folder_name, method_name, options_of
from agentlens.saliency.engine.settings import device_of, exact_float32, torch_threads
from agentlens.saliency.frames import read_frames, recording_facts
from agentlens.saliency.objects import ObjectEraser
from agentlens.store.artefacts import read_artefact
from agentlens.store.maps import MapHeader, MapSet, MapWriter, open_maps, read_map_header
from agentlens.store.recording import Episode, Recording

_log = logging.getLogger(__name__)

KEPT_PICTURES = ("median", "mean")
"""Pictures of a recording that are kept beside the maps; its observations are in the recording."""

_CHECK_STEPS = 64
_PROBE_FRAMES = 2
_CPU_FRAMES, _GPU_FRAMES = 8, 64
"""Frames a call: few on a CPU, where a kill loses them, many on a GPU, which needs them."""

_CHEAP_PASSES = 2
"""Explainers of so few passes a step get as many frames on a CPU as on a GPU: what a kill loses is
made again in a moment, and reading and writing small blocks would cost more than the maps."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MapRun:
    """Everything settled before the first map.

    ``steps``: ascending step numbers by episode index. ``folder``: where the maps go. ``eraser``:
    takes single objects out of frames, where the method asks for it.
    """

    recording: Recording
    policy: Policy
    method: SaliencyMethod
    compute: Compute
    facts: RecordingFacts
    eraser: ObjectEraser | None
    explainer: Explainer
    steps: Mapping[int, np.ndarray]
    folder: Path

    def __len__(self) -> int:
        """How many maps are asked for."""
        return sum(map(len, self.steps.values()))

    def frames(self, episode: Episode, steps: np.ndarray) -> FrameBatch:
        """Steps of an episode as the explainer wants them."""
        frames = read_frames(episode, steps, self.policy, self.method)
        if self.eraser is None:
            return frames
        return dataclasses.replace(frames, objects=self.eraser.frames(episode, steps))

    def episodes(self) -> Iterator[tuple[Episode, np.ndarray]]:
        """The episodes to explain with their steps."""
        for episode in self.recording.episodes:
            if episode.index in self.steps:
                yield episode, self.steps[episode.index]

    @property
    def header(self) -> MapHeader:
        """What the maps are; noise floors are not measured yet and 0."""
        pictures = {
            name: hashlib.sha256(picture.tobytes()).hexdigest()
            for name, picture in self.facts.pictures.items()
        }
        options = options_of(self.method)
        beside: dict[str, object] = {"pictures": pictures} if pictures else {}
        if self.facts.artefact is not None:
            beside["learned"] = _digest(self.facts.artefact)
        return MapHeader(
            method=method_name(self.method),
            options={**options, **beside},
            targets=self.explainer.targets,
            planes=self.explainer.planes,
            grid=self.explainer.grid,
            action=str(options.get("action", "taken")),
            contrast=str(options.get("contrast") or ""),
            forward_passes=self.explainer.forward_passes,
            recording=self.recording.header.identity,
            recording_digests={str(e.index): e.digest for e in self.recording.episodes},
            provenance=provenance(
                device=str(device_of(self.policy)),
                engine=self.explainer.engine,
                tf32=False,
                threads=self.compute.threads,
                memory_bytes=self.compute.memory_bytes,
            ),
        )


def _digest(artefact: LearnedArtefact) -> str:
    """SHA-256 of what was learned: maps of a network that learned anew are other maps."""
    digest = hashlib.sha256()
    for name, tensor in sorted(artefact.tensors.items()):
        digest.update(f"{name} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def prepare_maps(
    recording: Recording,
    method: str | SaliencyMethod,
    *,
    steps: Steps | Mapping[int, Steps] | None = None,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    agent: Agent | None = None,
) -> MapRun:
    """Settle method, agent, device, engine and steps; everything that can be refused early is.

    Arguments and errors: as ``explain``.
    """
    configured = configure(method)
    lengths = {episode.index: len(episode) for episode in recording.episodes}
    chosen = choose_steps(lengths, steps)
    agent = recorded_agent(recording, agent, device=compute.device)
    policy = agent.policy
    spec = recording.header.agent
    if policy.observation_shape != spec.observation.shape:
        raise ShapeError(
            f"the agent sees {policy.observation_shape}, the recording has "
            f"{spec.observation.shape}: it is another agent's."
        )
    facts, eraser = recording_facts(recording, configured), None
    if "objects" in configured.pictures:
        eraser = ObjectEraser(recording, objects_of(recording))
        facts = dataclasses.replace(facts, object_names=eraser.names)
    if configured.artefact is not None:
        facts = dataclasses.replace(facts, artefact=learned_artefact(configured.artefact, agent))
    explainer = configured.bind(policy, compute, facts)
    _log.info("%s on %s, engine %s", method_name(configured), device_of(policy), explainer.engine)
    return MapRun(
        recording=recording,
        policy=policy,
        method=configured,
        compute=compute,
        facts=facts,
        eraser=eraser,
        explainer=explainer,
        steps=chosen,
        folder=Path(output or recording.folder / "maps" / folder_name(configured)),
    )


def finished_maps(run: MapRun) -> MapSet | None:
    """The maps of a run where all of them are there already, sound and of its settings."""
    if _earlier_header(run) is None:
        return None
    try:
        maps = open_maps(run.folder)
    except Corrupt:
        return None
    there = set(zip(maps.episodes.tolist(), maps.steps.tolist(), strict=True))
    asked = {(episode, int(step)) for episode, steps in run.steps.items() for step in steps}
    return maps if asked <= there else None


def learned_artefact(named: tuple[str, str], agent: Agent) -> LearnedArtefact:
    """What was learned for this agent, from its folder.

    Args:
        named: purpose and folder, as ``SaliencyMethod.artefact`` gives them.
        agent: whose weights it must be for.

    Raises:
        InvalidArgument: it was learned for another agent.
        Corrupt, Incompatible: it cannot be read.
    """
    purpose, folder = named
    artefact = read_artefact(folder, purpose)
    if artefact.agent != agent.spec.sha256:
        raise InvalidArgument(
            f"{folder}: the {purpose} was learned for other weights "
            f"({artefact.agent:.12}..., this agent has {agent.spec.sha256:.12}...): learn one for "
            "this agent."
        )
    return LearnedArtefact(artefact.about, artefact.tensors)


def make_maps(run: MapRun, *, force: bool, progress: Progress) -> MapSet:
    """Check the outputs, then write the maps that are missing; see ``explain``."""
    maps = None if force else finished_maps(run)
    if maps is not None:
        progress(len(run), len(run))
        return maps
    check_recorded(run)
    try:
        header = _measured_header(run, force)
        pictures = {k: v for k, v in run.facts.pictures.items() if k in KEPT_PICTURES}
        with MapWriter(run.folder, header, force=force, pictures=pictures) as writer:
            _write_maps(run, writer, progress)
    except KeyboardInterrupt as error:
        advice = "the same command" + (" without --force" if force else "") + " goes on from there"
        raise Interrupted(f"stopped; the maps so far are in {run.folder}, and {advice}.") from error
    return open_maps(run.folder)


def seconds_a_map(run: MapRun) -> float:
    """How long a map takes, measured on two frames, none of them among an episode's first: those
    show the game appear, which costs an engine that follows changes more than any later frame."""
    episode, wanted = max(run.episodes(), key=lambda each: len(each[1]))
    places = np.linspace(0, len(wanted) - 1, _PROBE_FRAMES + 2)[1:-1].astype(int)
    frames = run.frames(episode, wanted[np.unique(places)])
    _explain(run, frames)
    start = time.perf_counter()
    _explain(run, frames).values.cpu()
    return (time.perf_counter() - start) / len(frames)


def _earlier_header(run: MapRun) -> MapHeader | None:
    """The header of a map set of the same settings that lies in the run's folder."""
    if not (run.folder / "maps.json").is_file():
        return None
    earlier = read_map_header(run.folder)
    plain = tuple(dataclasses.replace(target, noise_floor=0.0) for target in earlier.targets)
    difference = run.header.difference(dataclasses.replace(earlier, targets=plain))
    return None if difference else earlier


def _measured_header(run: MapRun, force: bool) -> MapHeader:
    """The header with noise floors: of a map set to be resumed, or measured on two steps."""
    earlier = None if force else _earlier_header(run)
    if earlier is not None:
        return dataclasses.replace(run.header, targets=earlier.targets)
    episode = max(run.recording.episodes, key=len)
    steps = np.unique([len(episode) // 3, 2 * len(episode) // 3])
    frames = run.frames(episode, steps)
    targets = measure_noise(run.method, run.policy, run.compute, run.facts, run.explainer, frames)
    return dataclasses.replace(run.header, targets=targets)


def check_recorded(run: MapRun) -> None:
    """Compare recomputed outputs with the recorded ones, for every step to be explained."""
    with torch.inference_mode(), exact_float32(), torch_threads(run.compute.threads):
        for episode, wanted in run.episodes():
            recorded = {
                "logits": episode.logits,
                "q_values": episode.q_values,
                "value": episode.values,
            }
            for steps in _blocks(wanted, _CHECK_STEPS):
                frames = run.frames(episode, steps)
                output = run.policy(frames.observations, frames.states)
                recomputed = {output.kind: output.preferences, "value": output.value}
                rows = {name: None if r is None else r[steps] for name, r in recorded.items()}
                check_outputs(episode.index, steps, recomputed, rows)


def _write_maps(run: MapRun, writer: MapWriter, progress: Progress) -> None:
    done, total = 0, len(run)
    dear = run.explainer.forward_passes > _CHEAP_PASSES
    frames_a_block = _CPU_FRAMES if dear and device_of(run.policy).type == "cpu" else _GPU_FRAMES
    for episode, wanted in run.episodes():
        missing = np.array([s for s in wanted if (episode.index, int(s)) not in writer.done], int)
        done += len(wanted) - len(missing)
        progress(done, total)
        for steps in _blocks(missing, frames_a_block):
            maps = _explain(run, run.frames(episode, steps))
            check_maps(episode.index, steps, maps, run.explainer.targets)
            if maps.halvings:
                _log.warning(
                    "episode %d, step %d: memory ran out, the chunk was halved %d times",
                    episode.index,
                    steps[0],
                    maps.halvings,
                )
            actions = maps.explained_actions.cpu().numpy()
            gaps = None if maps.gaps is None else maps.gaps.cpu().numpy()
            writer.append(episode.index, steps, actions, maps.values.cpu().numpy(), gaps)
            done += len(steps)
            progress(done, total)


def _explain(run: MapRun, frames: FrameBatch) -> MapBatch:
    """Run the explainer; a failing device is told apart from a fault of the program."""
    try:
        with exact_float32(), torch_threads(run.compute.threads):
            return run.explainer(frames)
    except RuntimeError as error:
        if "cuda" not in str(error).lower():
            raise
        raise DeviceError(
            f"the device failed at episode {frames.episodes[0]}, step {frames.steps[0]}: {error}. "
            "The maps before are kept: give the same command to go on."
        ) from error


def _blocks(steps: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(steps), size):
        yield steps[start : start + size]
