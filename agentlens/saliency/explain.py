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
from torch import Tensor

from agentlens.actions import merge_groups
from agentlens.arrays import scale_planes
from agentlens.errors import (
    DeviceError,
    Interrupted,
    InvalidArgument,
    OutputMismatch,
    ShapeError,
)
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.base import Policy
from agentlens.policies.device import choose_device
from agentlens.progress import Progress, silent
from agentlens.provenance import provenance
from agentlens.saliency.base import Explainer, FrameBatch, MapBatch, SaliencyMethod, Setup
from agentlens.saliency.checks import check_maps, check_outputs, measure_noise
from agentlens.saliency.configure import configure, options_of
from agentlens.saliency.engine.settings import device_of, exact_float32, torch_threads
from agentlens.saliency.selection import choose_steps
from agentlens.spec import TargetInfo
from agentlens.store.maps import MapHeader, MapSet, MapWriter, open_maps, read_map_header
from agentlens.store.recording import Episode, Recording, open_recording

_log = logging.getLogger(__name__)

PICTURE_PLANES = 256
"""A recording's median and mean pictures are taken over this many steps, evenly spread."""

_CHECK_STEPS = 64
_PROBE_FRAMES = 2
_CPU_FRAMES, _GPU_FRAMES = 8, 64
"""Frames a call: few on a CPU, where a kill loses them, many on a GPU, which needs them."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """Everything settled before the first map."""

    recording: Recording
    policy: Policy
    name: str
    method: SaliencyMethod
    setup: Setup
    explainer: Explainer
    steps: Mapping[int, np.ndarray]
    merge_actions: bool


def explain(
    recording: Recording | Path | str,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: slice | Sequence[int] | None = None,
    episodes: Sequence[int] | None = None,
    targets: Sequence[str] | None = None,
    planes: str | None = None,
    radius: float | Sequence[float] | None = None,
    stride: int | None = None,
    grid: str | None = None,
    reference: str | None = None,
    action: str | None = None,
    contrast: str | None = None,
    options: Mapping[str, object] | None = None,
    merge_actions: bool = False,
    device: str = "auto",
    engine: str = "auto",
    threads: int = 0,
    memory_bytes: int = 1 << 30,
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
        recording: or its folder; explained as far as it goes. method: a name, or a configured
        method.
        steps: of each episode: a slice, or step numbers; all if not given.
        episodes: indices; all if not given.
        targets, planes, radius, stride, grid, reference, action, contrast: options of the method
            (see ``methods.perturbation``); None leaves its own default.
        options: others of the method, by name (``agentlens methods --markdown`` lists them).
        merge_actions: treat actions that do the same in this game as one.
        device: "auto", "cpu", "cuda" or "cuda:N". threads: of the CPU, 0 for torch's own choice.
        engine: "auto", "reference", "batched" or "incremental"; the same numbers from each.
        memory_bytes: what the engine may use beyond the model.
        output: folder, ``maps/METHOD`` in the recording if not given. force: replace other maps.
        progress: called with steps done and to do. agent: another copy of the recording's own.

    Raises:
        InvalidArgument: steps, episodes or options that are not there or not possible.
        OutputMismatch, NotFinite: recomputed outputs are not the recorded ones, or not numbers.
        AlreadyExists, Interrupted: maps of other settings are there; Ctrl-C (maps are kept).
        DeviceError: memory ran out at the smallest chunk, or the device failed.
    """
    given = {
        "targets": targets,
        "planes": planes,
        "radius": radius,
        "stride": stride,
        "grid": grid,
        "reference": reference,
        "action": action,
        "contrast": contrast,
        **(options or {}),
    }
    job = _prepare(
        open_recording(recording),
        method,
        given,
        steps,
        episodes,
        agent,
        merge_actions=merge_actions,
        device=device,
        engine=engine,
        threads=threads,
        memory_bytes=memory_bytes,
    )
    return _make(job, output, force, progress)


def estimate_seconds(
    recording: Recording,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: slice | Sequence[int] | None = None,
    episodes: Sequence[int] | None = None,
    targets: Sequence[str] | None = None,
    planes: str | None = None,
    radius: float | Sequence[float] | None = None,
    stride: int | None = None,
    grid: str | None = None,
    reference: str | None = None,
    options: Mapping[str, object] | None = None,
    device: str = "auto",
    engine: str = "auto",
    threads: int = 0,
    agent: Agent | None = None,
) -> float:
    """How long ``explain`` with these arguments would take, measured on two frames.

    Maps that are there already are not taken off. Arguments and errors: as ``explain``.
    """
    given = {
        "targets": targets,
        "planes": planes,
        "radius": radius,
        "stride": stride,
        "grid": grid,
        "reference": reference,
        **(options or {}),
    }
    job = _prepare(
        recording,
        method,
        given,
        steps,
        episodes,
        agent,
        merge_actions=False,
        device=device,
        engine=engine,
        threads=threads,
        memory_bytes=1 << 30,
    )
    episode, wanted = next((e, s) for e, s in _chosen(job) if len(s))
    frames = _frames(job, episode, wanted[:_PROBE_FRAMES])
    _explain(job, frames)
    start = time.perf_counter()
    _explain(job, frames).values.cpu()
    each = (time.perf_counter() - start) / len(frames)
    return each * sum(map(len, job.steps.values()))


def _prepare(
    recording: Recording,
    method: str | SaliencyMethod,
    options: Mapping[str, object],
    steps: slice | Sequence[int] | None,
    episodes: Sequence[int] | None,
    agent: Agent | None,
    *,
    merge_actions: bool,
    device: str,
    engine: str,
    threads: int,
    memory_bytes: int,
) -> _Job:
    """Settle method, agent, device, engine and steps; everything that can be refused early is."""
    name, configured = configure(method, options)
    if memory_bytes < 1:
        raise InvalidArgument(f"memory of {memory_bytes} bytes: expected a positive number.")
    if threads < 0:
        raise InvalidArgument(f"{threads} threads: expected 0 (torch's own choice) or more.")
    lengths = {episode.index: len(episode) for episode in recording.episodes}
    wanted = choose_steps(lengths, steps, episodes)
    if agent is None:
        agent = load_agent(recording.folder / "agent")
    policy = agent.to(choose_device(device)).policy
    spec = recording.header.agent
    if policy.observation_shape != spec.observation.shape:
        raise ShapeError(
            f"the agent sees {policy.observation_shape}, the recording has "
            f"{spec.observation.shape}: it is another agent's."
        )
    groups = None
    if merge_actions:
        groups = merge_groups(spec.environment.game, spec.action.meanings)
    setup = Setup(
        engine=engine,
        threads=threads,
        memory_bytes=memory_bytes,
        groups=groups,
        pictures={k: _picture(recording, k) for k in configured.pictures - {"previous"}},
    )
    explainer = configured.bind(policy, setup)
    _log.info("%s on %s, engine %s", name, device_of(policy), explainer.engine)
    return _Job(
        recording=recording,
        policy=policy,
        name=name,
        method=configured,
        setup=setup,
        explainer=explainer,
        steps=wanted,
        merge_actions=merge_actions,
    )


def _picture(recording: Recording, kind: str) -> np.ndarray:
    """The median or mean plane of a recording as the network sees planes: float32 [H, W]."""
    total = sum(map(len, recording.episodes))
    every = max(1, -(-total // PICTURE_PLANES))
    planes = [
        episode.planes[step]
        for episode in recording.episodes
        for step in range(0, len(episode), every)
    ]
    stacked = np.stack(planes).astype(np.float32)
    picture = np.median(stacked, 0) if kind == "median" else stacked.mean(0)
    divisor = recording.header.agent.observation.scale_divisor
    return scale_planes(picture.astype(np.float32), divisor)


def _chosen(job: _Job) -> Iterator[tuple[Episode, np.ndarray]]:
    """The episodes to explain with their steps."""
    for episode in job.recording.episodes:
        if episode.index in job.steps:
            yield episode, job.steps[episode.index]


def _frames(job: _Job, episode: Episode, steps: np.ndarray) -> FrameBatch:
    """The given steps of an episode on the policy's device."""
    device = device_of(job.policy)
    states = episode.states
    if (states is None) != (job.policy.state_size == 0):
        raise OutputMismatch(
            f"episode {episode.index}: the recording has "
            f"{'no' if states is None else 'a'} recurrent state and the agent "
            f"{'needs one' if states is None else 'has none'}: it is another agent's."
        )
    previous = None
    if "previous" in job.method.pictures:
        previous = _tensor(_rows(episode, np.maximum(steps - 1, 0)), device)
    frames = FrameBatch(
        observations=_tensor(_rows(episode, steps), device),
        actions=_tensor(episode.actions[steps], device),
        states=None if states is None else _tensor(states[steps], device),
        episodes=np.full(len(steps), episode.index),
        steps=steps,
        previous=previous,
    )
    return _with_past(frames, episode, job.method.past_steps)


def _with_past(frames: FrameBatch, episode: Episode, count: int) -> FrameBatch:
    """The frames with ``count`` earlier steps each; as they are where none are asked for."""
    if count == 0 or episode.states is None:
        return frames
    numbers, device = np.arange(len(episode)), frames.observations.device
    starts = np.maximum.accumulate(np.where(episode.state_resets, numbers, 0))
    back = [np.maximum(frames.steps - distance, 0) for distance in range(1, count + 1)]
    return dataclasses.replace(
        frames,
        past=torch.stack([_tensor(_rows(episode, steps), device) for steps in back], 1),
        past_states=torch.stack([_tensor(episode.states[steps], device) for steps in back], 1),
        past_counts=np.minimum(count, frames.steps - starts[frames.steps]),
    )


def _rows(episode: Episode, steps: np.ndarray) -> np.ndarray:
    """Observations of ascending steps, read in runs: float32 [n, K, H, W]."""
    breaks = np.flatnonzero(np.diff(steps) != 1) + 1
    runs = np.split(steps, breaks)
    return np.concatenate([episode.observations[int(r[0]) : int(r[-1]) + 1] for r in runs])


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def _check_recorded(job: _Job) -> None:
    """Compare recomputed outputs with the recorded ones, for every step to be explained."""
    with torch.inference_mode(), exact_float32(), torch_threads(job.setup.threads):
        for episode, wanted in _chosen(job):
            recorded = {
                "logits": episode.logits,
                "q_values": episode.q_values,
                "value": episode.values,
            }
            for steps in _blocks(wanted, _CHECK_STEPS):
                frames = _frames(job, episode, steps)
                output = job.policy(frames.observations, frames.states)
                found = {output.kind: output.preferences, "value": output.value}
                rows = {name: None if r is None else r[steps] for name, r in recorded.items()}
                check_outputs(episode.index, steps, found, rows)


def _make(job: _Job, output: Path | str | None, force: bool, progress: Progress) -> MapSet:
    """Check the outputs, then write the maps that are missing."""
    folder = Path(output) if output is not None else job.recording.folder / "maps" / job.name
    _check_recorded(job)
    try:
        with MapWriter(folder, _header(job, folder), force=force) as writer:
            _write_maps(job, writer, progress)
    except KeyboardInterrupt as error:
        advice = "the same command" + (" without --force" if force else "") + " goes on from there"
        raise Interrupted(f"stopped; the maps so far are in {folder}, and {advice}.") from error
    return open_maps(folder)


def _header(job: _Job, folder: Path) -> MapHeader:
    explainer = job.explainer
    pictures = {
        name: hashlib.sha256(picture.tobytes()).hexdigest()
        for name, picture in job.setup.pictures.items()
    }
    options = {**options_of(job.method), "merge_actions": job.merge_actions}
    header = MapHeader(
        method=job.name,
        options={**options, "pictures": pictures} if pictures else options,
        targets=explainer.targets,
        planes=explainer.planes,
        grid=explainer.grid,
        action=str(getattr(job.method, "action", "taken")),
        forward_passes=explainer.forward_passes,
        recording=job.recording.header.identity,
        recording_digests={str(e.index): e.digest for e in job.recording.episodes},
        provenance=provenance(
            device=str(device_of(job.policy)),
            engine=explainer.engine,
            tf32=False,
            threads=job.setup.threads,
            memory_bytes=job.setup.memory_bytes,
        ),
    )
    return dataclasses.replace(header, targets=_targets(job, folder, header))


def _targets(job: _Job, folder: Path, header: MapHeader) -> tuple[TargetInfo, ...]:
    """The targets with noise floors: those of a map set to be resumed, or measured on two steps."""
    if (folder / "maps.json").is_file():
        earlier = read_map_header(folder)
        plain = tuple(dataclasses.replace(t, noise_floor=0.0) for t in earlier.targets)
        if not header.difference(dataclasses.replace(earlier, targets=plain)):
            return earlier.targets
    episode = max(job.recording.episodes, key=len)
    steps = np.unique([len(episode) // 3, 2 * len(episode) // 3])
    frames = _frames(job, episode, steps)
    return measure_noise(job.method, job.policy, job.setup, job.explainer, frames)


def _write_maps(job: _Job, writer: MapWriter, progress: Progress) -> None:
    done, total = 0, sum(map(len, job.steps.values()))
    frames_a_block = _CPU_FRAMES if device_of(job.policy).type == "cpu" else _GPU_FRAMES
    for episode, wanted in _chosen(job):
        missing = np.array([s for s in wanted if (episode.index, int(s)) not in writer.done], int)
        done += len(wanted) - len(missing)
        progress(done, total)
        for steps in _blocks(missing, frames_a_block):
            maps = _explain(job, _frames(job, episode, steps))
            check_maps(episode.index, steps, maps, job.explainer.targets)
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


def _explain(job: _Job, frames: FrameBatch) -> MapBatch:
    """Run the explainer; a failing device is told apart from a fault of the program."""
    try:
        with exact_float32(), torch_threads(job.setup.threads):
            return job.explainer(frames)
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
