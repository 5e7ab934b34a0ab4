"""From a recording and a method to a map set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentlens.compute import Compute
from agentlens.policies.agent import Agent
from agentlens.progress import Progress, silent
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.chosen_steps import Steps
from agentlens.saliency.map_run import make_maps, prepare_maps, seconds_a_map
from agentlens.store.maps import MapSet
from agentlens.store.recording import Recording, open_recording


def explain(
    recording: Recording | Path | str,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: Steps | Mapping[int, Steps] | None = None,
    compute: Compute = Compute(),
    output: Path | str | None = None,
    force: bool = False,
    progress: Progress = silent,
    agent: Agent | None = None,
) -> MapSet:
    """Make saliency maps for the steps of a recording, write them and return the folder's map set.

    Before any map is made the policy's outputs are computed again, from the recorded observations
    and recurrent states, and compared with the recorded ones. Maps already there (same method,
    options and recording) are kept, and where all of them are, nothing is done; on a CPU a resumed
    run gives the bits of an uninterrupted one.

    Args:
        recording: or its folder; explained as far as it goes.
        method: a name, which stands for that method's defaults, or a method with its options, such
            as ``agentlens.methods.Perturbation(radius=3, reference="median")``.
        steps: of every episode: a slice, or step numbers; by episode where a mapping says so, such
            as ``{0: range(100, 200)}``; all if not given.
        compute: device, threads, engine and memory; each chosen by itself if not given.
        output: folder; if not given, ``maps/METHOD`` in the recording, with what differs from the
            method's defaults in its name.
        force: replace maps of other settings.
        progress: called with steps done and to do.
        agent: another copy of the recording's own.

    Raises:
        InvalidArgument: steps, episodes or options that are not there or not possible.
        OutputMismatch, NotFinite: recomputed outputs are not the recorded ones, or not numbers.
        AlreadyExists, Interrupted: maps of other settings are there; Ctrl-C (maps are kept).
        DeviceError: memory ran out at the smallest chunk, or the device failed.
    """
    run = prepare_maps(
        open_recording(recording),
        method,
        steps=steps,
        compute=compute,
        output=output,
        agent=agent,
    )
    return make_maps(run, force=force, progress=progress)


def estimate_seconds(
    recording: Recording | Path | str,
    method: str | SaliencyMethod = "perturbation",
    *,
    steps: Steps | Mapping[int, Steps] | None = None,
    compute: Compute = Compute(),
    agent: Agent | None = None,
) -> float:
    """How long ``explain`` with these arguments would take, measured on two frames.

    Maps that are there already are not taken off. Arguments and errors: as ``explain``.
    """
    run = prepare_maps(
        open_recording(recording),
        method,
        steps=steps,
        compute=compute,
        agent=agent,
    )
    return seconds_a_map(run) * len(run)
