"""Where things lie in a recording's folder, and recording.json as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentlens.errors import Corrupt, ManifestError
from agentlens.mapping import decode, encode
from agentlens.palette import Palette
from agentlens.store.atomic import RECORDING_JSON
from agentlens.store.header import EpisodeEntry, RecordingHeader, decode_entry
from agentlens.store.sealed_json import read_document, write_document

EPISODES = "episodes"
AGENT = "agent"
MAPS = "maps"
KIND = "recording"


def finished_path(folder: Path, index: int) -> Path:
    """A finished episode's Arrow file."""
    return folder / EPISODES / f"{index:05d}.arrow"


def part_path(folder: Path, index: int) -> Path:
    """The same file while it is written."""
    return folder / EPISODES / f"{index:05d}.arrow.part"


def chain_path(folder: Path, index: int) -> Path:
    """The digests of its batches (see ``journal``)."""
    return folder / EPISODES / f"{index:05d}.chain"


@dataclass(frozen=True, kw_only=True)
class RecordingDocument:
    """What recording.json holds. ``agent_digests``: SHA-256 of each file under agent/."""

    header: RecordingHeader
    palette: Palette
    entries: tuple[EpisodeEntry, ...] = ()
    agent_digests: Mapping[str, str] = field(default_factory=dict)
    complete: bool = False


def write_recording_json(folder: Path, document: RecordingDocument) -> None:
    """Replace recording.json at once.

    Raises:
        DiskError: the old one is then unchanged.
    """
    content = {
        "complete": document.complete,
        "header": encode(document.header),
        "agent_files": dict(document.agent_digests),
        "palette": document.palette.encode(),
        "episodes": [encode(entry) for entry in document.entries],
    }
    write_document(folder / RECORDING_JSON, KIND, content)


def read_recording_json(folder: Path) -> RecordingDocument:
    """Read recording.json; keys that this version does not know are ignored outside the header.

    Raises:
        Corrupt, Incompatible, DiskError: as ``sealed_json.read_document``.
    """
    path = folder / RECORDING_JSON
    plain = read_document(path, KIND)
    try:
        rows = plain.get("episodes")
        files = plain.get("agent_files", {})
        if not isinstance(rows, list) or not isinstance(files, dict):
            raise ManifestError("expected a list of episodes and a table of agent files.")
        entries = tuple(decode_entry(row, f"episodes[{i}]") for i, row in enumerate(rows))
        if len({entry.index for entry in entries}) != len(entries):
            raise ManifestError("episodes: an index stands there twice.")
        if not all(isinstance(digest, str) for digest in files.values()):
            raise ManifestError("agent_files: expected a digest for each file.")
        return RecordingDocument(
            header=decode(RecordingHeader, _upgraded(plain), "header"),
            palette=Palette.decode(plain.get("palette")),
            entries=entries,
            agent_digests=files,
            complete=plain.get("complete") is True,
        )
    except ManifestError as error:
        raise Corrupt(f"{path}: {error}") from error


def _upgraded(document: Mapping[str, Any]) -> Any:
    """The header of a document of any version, in the form of this one."""
    header = document.get("header")
    if document["schema_version"] != 1 or not isinstance(header, Mapping):
        return header
    world = {"rom_md5": header.get("rom_md5"), "actions": header.get("emulator_actions")}
    kept = {k: v for k, v in header.items() if k not in ("rom_md5", "emulator_actions")}
    return {**kept, "world": world}
