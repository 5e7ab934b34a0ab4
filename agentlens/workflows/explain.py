"""Explain with an estimate first, and find the maps of a recording again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agentlens.errors import InvalidArgument
from agentlens.progress import Progress, silent
from agentlens.saliency.base import SaliencyMethod
from agentlens.saliency.configure import configure
from agentlens.saliency.explain import estimate_seconds, explain
from agentlens.store.maps import MapSet, open_maps
from agentlens.store.recording import Recording
from agentlens.workflows.options import MapOptions

WORTH_SAYING_S = 10.0


def explain_as(
    recording: Recording,
    options: MapOptions,
    *,
    steps: slice | Sequence[int] | None = None,
    episode: int | None = None,
    device: str = "auto",
    threads: int = 0,
    output: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
    say: Callable[[str], None] = lambda line: None,
) -> MapSet:
    """Compute the maps that ``options`` describe; says how long it will take before a long job.

    Args:
        recording: an opened recording.
        options: method, scores, planes, masks, engine.
        steps: step numbers, or all.
        episode: index, or all.
        device: "auto", "cpu", "cuda" or "cuda:N".
        threads: CPU threads, 0 for one a core.
        output: folder; the recording's ``maps/METHOD`` if not given.
        force: replace maps made with other settings.
        progress: called with steps done and to do.
        say: called with a line for the user.

    Raises:
        InvalidArgument: no memory to use, and whatever else ``explain`` raises.
    """
    check_maps(options)
    episodes = None if episode is None else [episode]
    estimate = estimate_seconds(
        recording,
        options.method,
        steps=steps,
        episodes=episodes,
        targets=options.targets,
        planes=options.planes,
        radius=options.radius,
        stride=options.stride,
        grid=options.grid,
        reference=options.reference,
        options=options.extra,
        device=device,
        engine=options.engine,
        threads=threads,
    )
    if estimate > WORTH_SAYING_S:
        say(f"explaining will take about {_duration(estimate)}")
    return explain(
        recording,
        options.method,
        steps=steps,
        episodes=episodes,
        targets=options.targets,
        planes=options.planes,
        radius=options.radius,
        stride=options.stride,
        grid=options.grid,
        reference=options.reference,
        action=options.action,
        contrast=options.contrast,
        options=options.extra,
        merge_actions=options.merge_actions,
        device=device,
        engine=options.engine,
        threads=threads,
        memory_bytes=int(options.memory_gb * 2**30),
        output=output,
        force=force,
        progress=progress,
    )


def check_maps(options: MapOptions) -> tuple[str, SaliencyMethod]:
    """Refuse what no recording could make possible: before hours of work, say.

    Returns:
        The method's public name and the method with its options.

    Raises:
        UnknownName: no such method.
        InvalidArgument: no memory to use, an option that the method lacks, an impossible value.
    """
    if not 0 < options.memory_gb <= 1_000_000:
        raise InvalidArgument(
            f"memory of {options.memory_gb:g} GB: expected more than 0, at most 1000000."
        )
    return configure(
        options.method,
        {
            "targets": options.targets,
            "planes": options.planes,
            "radius": options.radius,
            "stride": options.stride,
            "grid": options.grid,
            "reference": options.reference,
            "action": options.action,
            "contrast": options.contrast,
            **options.extra,
        },
    )


def maps_of(recording: Recording, folder: Path | None) -> MapSet | None:
    """Open the named map set, or the recording's only one; ``None`` where it has none.

    Raises:
        InvalidArgument: several map sets and none named.
    """
    if folder is not None:
        return open_maps(folder)
    found = sorted(p.parent for p in (recording.folder / "maps").glob("*/maps.json"))
    if len(found) > 1:
        names = ", ".join(str(p) for p in found)
        raise InvalidArgument(
            f"{recording.folder} has {len(found)} map sets ({names}): name one with --maps."
        )
    return open_maps(found[0]) if found else None


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
