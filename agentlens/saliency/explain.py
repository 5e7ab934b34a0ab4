"""From a recording and a method to a map set: the only file of this package that meets the
store."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from agentlens.compute import Compute
from agentlens.envs.atari.objects import objects_of
from agentlens.errors import (
    DeviceError,
    Interrupted,
    ShapeError,
)
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.saliency.base import (
    Explainer,
    FrameBatch,
    MapBatch,
    RecordingFacts,
    SaliencyMethod,
)
from agentlens.saliency.checks import check_maps, check_outputs, measure_noise
from agentlens.saliency.chosen_steps import choose_steps
from agentlens.saliency.configure import configure, method_name, options_of
from agentlens.saliency.engine.settings import device_of, exact_float32, torch_threads
from agentlens.saliency.frames import read_frames, recording_facts
from agentlens.saliency.objects import ObjectEraser
from agentlens.spec import TargetInfo
from agentlens.store.maps import MapHeader, MapSet, MapWriter, open_maps, read_map_header
from agentlens.store.recording import Episode, Recording, open_recording

_log = logging.getLogger(__name__)

_CHECK_STEPS = 64
_PROBE_FRAMES = 2
_CPU_FRAMES, _GPU_FRAMES = 8, 64
"""Frames a call: few on a CPU, where a kill loses them, many on a GPU, which needs them."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class MapRun:
    """Everything settled before the first map."""

    recording: Recording
    policy: Policy
    method: SaliencyMethod
    compute: Compute
    facts: RecordingFacts
    explainer: Explainer
    steps: Mapping[int, np.ndarray]
    eraser: ObjectEraser | None

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


def explain(
    recording: Recording | Path | str,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: slice | Sequence[int] | None = None,
    episodes: Sequence[int] | None = None,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
    progress: Progress = silent,
    agent: Agent | None = None,
) -> MapSet:
    """Make saliency maps for the steps of a recording, write them and return the folder's map set.

    Before any map is made the policy's outputs are computed again, from the recorded observations
    and recurrent states, and compared with the recorded ones. Maps already there (same method,
    options and recording) are kept; on a CPU a resumed run gives the bits of an uninterrupted one.

    Args:
        recording: or its folder; explained as far as it goes.
        method: a name, which stands for that method's defaults, or a method with its options, such
            as ``agentlens.methods.Perturbation(radius=3, reference="median")``.
        steps: of each episode: a slice, or step numbers; all if not given.
        episodes: indices; all if not given.
        compute: device, threads, engine and memory; each chosen by itself if not given.
        output: folder, ``maps/METHOD`` in the recording if not given.
        force: replace maps of other settings.
        progress: called with steps done and to do.
        agent: another copy of the recording's own.

    Raises:
        InvalidArgument: steps, episodes or options that are not there or not possible.
        OutputMismatch, NotFinite: recomputed outputs are not the recorded ones, or not numbers.
        AlreadyExists, Interrupted: maps of other settings are there; Ctrl-C (maps are kept).
        DeviceError: memory ran out at the smallest chunk, or the device failed.
    """
    run = _prepare(open_recording(recording), method, steps, episodes, compute, agent)
    return _make(run, output, force, progress)


def estimate_seconds(
    recording: Recording | Path | str,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: slice | Sequence[int] | None = None,
    episodes: Sequence[int] | None = None,
    compute: Compute = Compute(),
    agent: Agent | None = None,
) -> float:
    """How long ``explain`` with these arguments would take, measured on two frames.

    Maps that are there already are not taken off. Arguments and errors: as ``explain``.
    """
    run = _prepare(open_recording(recording), method, steps, episodes, compute, agent)
    episode, wanted = next((e, s) for e, s in run.episodes() if len(s))
    frames = run.frames(episode, wanted[:_PROBE_FRAMES])
    _explain(run, frames)
    start = time.perf_counter()
    _explain(run, frames).values.cpu()
    each = (time.perf_counter() - start) / len(frames)
    return each * sum(map(len, run.steps.values()))


def _prepare(
    recording: Recording,
    method: str | SaliencyMethod,
    steps: slice | Sequence[int] | None,
    episodes: Sequence[int] | None,
    compute: Compute,
    agent: Agent | None,
) -> MapRun:
    """Settle method, agent, device, engine and steps; everything that can be refused early is."""
    configured = configure(method)
    lengths = {episode.index: len(episode) for episode in recording.episodes}
    wanted = choose_steps(lengths, steps, episodes)
    if agent is None:
        agent = load_agent(recording.folder / "agent")
    policy = agent.to(choose_device(compute.device)).policy
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
    explainer = configured.bind(policy, compute, facts)
    _log.info("%s on %s, engine %s", method_name(configured), device_of(policy), explainer.engine)
    return MapRun(
        recording=recording,
        policy=policy,
        method=configured,
        compute=compute,
        facts=facts,
        explainer=explainer,
        steps=wanted,
        eraser=eraser,
    )


def _check_recorded(run: MapRun) -> None:
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
                found = {output.kind: output.preferences, "value": output.value}
                rows = {name: None if r is None else r[steps] for name, r in recorded.items()}
                check_outputs(episode.index, steps, found, rows)


def _make(run: MapRun, output: Path | str | None, force: bool, progress: Progress) -> MapSet:
    """Check the outputs, then write the maps that are missing."""
    folder = (
        Path(output)
        if output is not None
        else run.recording.folder / "maps" / method_name(run.method)
    )
    _check_recorded(run)
    try:
        with MapWriter(folder, _header(run, folder), force=force) as writer:
            _write_maps(run, writer, progress)
    except KeyboardInterrupt as error:
        advice = "the same command" + (" without --force" if force else "") + " goes on from there"
        raise Interrupted(f"stopped; the maps so far are in {folder}, and {advice}.") from error
    return open_maps(folder)


def _header(run: MapRun, folder: Path) -> MapHeader:
    explainer = run.explainer
    pictures = {
        name: hashlib.sha256(picture.tobytes()).hexdigest()
        for name, picture in run.facts.pictures.items()
    }
    options = options_of(run.method)
    header = MapHeader(
        method=method_name(run.method),
        options={**options, "pictures": pictures} if pictures else options,
        targets=explainer.targets,
        planes=explainer.planes,
        grid=explainer.grid,
        action=str(getattr(run.method, "action", "taken")),
        forward_passes=explainer.forward_passes,
        recording=run.recording.header.identity,
        recording_digests={str(e.index): e.digest for e in run.recording.episodes},
        provenance=provenance(
            device=str(device_of(run.policy)),
            engine=explainer.engine,
            tf32=False,
            threads=run.compute.threads,
            memory_bytes=run.compute.memory_bytes,
        ),
    )
    return dataclasses.replace(header, targets=_targets(run, folder, header))


def _targets(run: MapRun, folder: Path, header: MapHeader) -> tuple[TargetInfo, ...]:
    """The targets with noise floors: those of a map set to be resumed, or measured on two steps."""
    if (folder / "maps.json").is_file():
        earlier = read_map_header(folder)
        plain = tuple(dataclasses.replace(t, noise_floor=0.0) for t in earlier.targets)
        if not header.difference(dataclasses.replace(earlier, targets=plain)):
            return earlier.targets
    episode = max(run.recording.episodes, key=len)
    steps = np.unique([len(episode) // 3, 2 * len(episode) // 3])
    frames = run.frames(episode, steps)
    return measure_noise(run.method, run.policy, run.compute, run.facts, run.explainer, frames)


def _write_maps(run: MapRun, writer: MapWriter, progress: Progress) -> None:
    done, total = 0, sum(map(len, run.steps.values()))
    frames_a_block = _CPU_FRAMES if device_of(run.policy).type == "cpu" else _GPU_FRAMES
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
            writer.append(episode.index, steps, actions, maps.values.cpu().numpy())
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
