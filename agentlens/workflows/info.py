"""One page on whatever lies somewhere: an agent, a recording, a map set or a report."""

from __future__ import annotations

import json
from pathlib import Path

from agentlens.drawing import caption
from agentlens.errors import InvalidArgument
from agentlens.policies.catalogue import RANDOM, find_folder, random_spec
from agentlens.policies.manifest import MANIFEST, read_manifest
from agentlens.policies.run_folders import checkpoint_path
from agentlens.spec import AgentSpec
from agentlens.store.maps import MapSet, open_maps
from agentlens.store.recording import Recording, open_recording
from agentlens.workflows.summary import protocol_text, recording_summary, score_text

RECORDING, MAPS, REPORT = "recording.json", "maps.json", "report.json"


def info(place: Path | str) -> list[str]:
    """What something is, what it holds and which commands go on from it, a fact a line.

    Args:
        place: an agent's name or folder, or the folder of a recording, a map set or a report.

    Raises:
        UnknownName, CheckpointError: nothing of that name.
        InvalidArgument: a folder of something else.
        Corrupt, Incompatible, ManifestError: a damaged file.
    """
    folder = Path(place)
    folder = folder.parent if folder.name in (RECORDING, MAPS, REPORT, MANIFEST) else folder
    if (folder / RECORDING).is_file():
        return recording_lines(open_recording(folder))
    if (folder / MAPS).is_file():
        return maps_lines(open_maps(folder))
    if (folder / REPORT).is_file():
        return _report_lines(folder)
    if folder.is_file():
        raise InvalidArgument(
            f"{place}: a file; expected an agent, or the folder of a recording, a map set or a "
            "report. A checkpoint is read first: `agentlens info` on the command line, and in "
            "Python load_agent(path).spec."
        )
    home = find_folder(str(place))
    if home is None:
        return agent_lines(random_spec(), RANDOM)
    return agent_lines(read_manifest(home / MANIFEST), str(place))


def is_checkpoint(place: Path | str) -> bool:
    """Whether there is a weight file, or a training run's folder with one, and none of our own."""
    path = checkpoint_path(Path(place))
    return path.is_file() and path.name not in (RECORDING, MAPS, REPORT, MANIFEST)


def agent_lines(spec: AgentSpec, name: str, env: str | None = None) -> list[str]:
    """An agent: who it is, what it sees and does, how well, and what can be done with it.

    Args:
        spec: the agent's.
        name: what the commands that go on call it: its name, folder or file.
        env: the environment id that they have to say again.
    """
    observation, value = spec.observation, spec.value
    lines = [
        f"agent: {spec.name} ({spec.algorithm or spec.format})",
        f"protocol: {protocol_text(spec)}",
        f"sees: {observation.planes} planes of {observation.resize[0]} x {observation.resize[1]}, "
        f"pool {observation.pool}, grey {observation.grayscale}",
        f"actions: {', '.join(spec.action.meanings)}",
        f"score: {score_text(spec.score) if spec.score else 'not measured'}",
    ]
    if value is not None:
        lines.append(f"value: rewards {value.reward}, gamma {value.gamma or 'not said'}")
    lines += [f"licence: {spec.licence or 'not said'}", f"source: {spec.source or 'not said'}"]
    lines += [f"assumed: {line}" for line in spec.assumed]
    again = env or ("ALE/Pong-v5" if name == RANDOM else "")
    words = f"{name} --env {again}" if again else name
    words += " --trust-code" if ":" in spec.format else ""
    return [
        *lines,
        f"go on: agentlens video {words}",
        f"       agentlens record {words} --episodes 3",
        f"       agentlens score {words}",
    ]


def recording_lines(recording: Recording) -> list[str]:
    """A recording: whose play it is, its episodes and its map sets."""
    folder = recording.folder
    sets = sorted(path.parent for path in (folder / "maps").glob("*/" + MAPS))
    lines = [f"recording: {folder}", *recording_summary(recording).splitlines()]
    lines += [
        f"episode {e.index}: {len(e)} steps, return {e.raw_return:+g}, {e.end or 'cut off'}"
        for e in recording.episodes[:10]
    ]
    if len(recording.episodes) > 10:
        lines.append(f"and {len(recording.episodes) - 10} more episodes")
    for path in sets:
        maps = open_maps(path)
        lines.append(f"maps: {path} ({len(maps.steps)} steps, {', '.join(maps.targets)})")
    return [
        *lines,
        f"go on: agentlens moments {folder}",
        f"       agentlens explain {folder} --steps :300",
        f"       agentlens render {folder}",
        f"       agentlens verify {folder}",
    ]


def maps_lines(maps: MapSet) -> list[str]:
    """A map set: the method with its options, the steps, and what each target means."""
    header, folder = maps.header, maps.folder
    shown = (str, int, float, list, tuple)
    given = {k: v for k, v in header.options.items() if isinstance(v, shown) and v is not False}
    options = ", ".join(f"{name} {value}" for name, value in given.items())
    rows, columns = maps.grid.shape
    lines = [
        f"maps: {folder}",
        f"method: {header.method} ({options})",
        caption.joined(f"steps: {len(maps.steps)}", *caption.explained(header)),
        f"planes: {', '.join(maps.planes)}; grid {rows} x {columns}",
    ]
    lines += [f"{info.name}: {info.unit}; {info.meaning}" for info in header.targets]
    home = None if folder is None else folder.parent.parent
    if home is None or not (home / RECORDING).is_file():
        return lines
    return [*lines, f"go on: agentlens render {home} --maps {folder}"]


def _report_lines(folder: Path) -> list[str]:
    try:
        report = json.loads((folder / REPORT).read_text("utf-8"))
    except ValueError as error:
        raise InvalidArgument(f"{folder / REPORT}: not JSON ({error}).") from error
    known = report if isinstance(report, dict) else {}
    lines = [f"report: {folder / 'report.html'}"]
    if isinstance(known.get("summary"), str):
        lines.append(known["summary"])
    lines += [f"video: {path}" for path in sorted(folder.glob("*.mp4"))]
    return [*lines, f"go on: open {folder / 'report.html'} in a browser"]
