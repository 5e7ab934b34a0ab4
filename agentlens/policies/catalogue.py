"""The agents that can be named, from their agent.toml alone: no torch, no emulator is loaded."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agentlens import mapping
from agentlens.envs.atari.presets import PRESETS
from agentlens.errors import CheckpointError, InvalidArgument, ManifestError, UnknownName
from agentlens.policies.manifest import MANIFEST, read_manifest
from agentlens.spec import ActionSpec, AgentSpec, EnvironmentSpec, ObservationSpec

_log = logging.getLogger(__name__)

RANDOM = "random"
PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class AgentEntry:
    """One agent that can be named: its description and its folder (``None``: built in)."""

    spec: AgentSpec
    folder: Path | None


def list_agents() -> tuple[AgentEntry, ...]:
    """Every agent that can be named, by name; folders that cannot be read are left out and
    logged."""
    entries: dict[str, AgentEntry] = {}
    for folder in agent_folders():
        try:
            entry = AgentEntry(spec=read_manifest(folder / MANIFEST), folder=folder)
        except (ManifestError, CheckpointError, InvalidArgument) as error:
            _log.warning("%s is left out: %s", folder, error)
            continue
        entries.setdefault(folder.name, entry)
    entries.setdefault(RANDOM, AgentEntry(spec=random_spec(), folder=None))
    return tuple(entries[name] for name in sorted(entries))


def random_spec() -> AgentSpec:
    """The baseline's description, as far as it is known without a game."""
    observation = mapping.encode(PRESETS["ale-v5"].observation)
    return AgentSpec(
        name=RANDOM,
        format="random",
        environment=EnvironmentSpec(
            id="any", kind="any", game="any", frame_skip=(4, 4), repeat_action_probability=0.25
        ),
        observation=mapping.decode(ObservationSpec, observation, "observation"),
        action=ActionSpec(meanings=("any",), selection="sample"),
        algorithm="none: a baseline",
        licence="MIT",
    )


def _places() -> Iterator[Path]:
    yield Path("agents")
    if os.environ.get("AGENTLENS_AGENTS"):
        yield Path(os.environ["AGENTLENS_AGENTS"])
    if (PACKAGE.parent / "pyproject.toml").is_file():
        yield PACKAGE.parent / "agents"
    yield PACKAGE / "_agents"


def agent_folders() -> Iterator[Path]:
    """Every folder with an agent.toml in the places where agents are looked for, nearest first."""
    for place in _places():
        if place.is_dir():
            for folder in sorted(place.iterdir()):
                if (folder / MANIFEST).is_file():
                    yield folder


def find_folder(name: str) -> Path | None:
    """The folder of an agent that is named, or given by its folder; None for the baseline.

    Raises:
        UnknownName: no such agent; the nearest names are listed.
        CheckpointError: a path with nothing there, or a folder without agent.toml.
    """
    if (Path(name) / MANIFEST).is_file():
        return Path(name)
    for folder in agent_folders():
        if folder.name == name:
            return folder
    if name == RANDOM:
        return None
    if Path(name).is_dir():
        raise CheckpointError(f"{name}: a folder without {MANIFEST}; expected an agent's folder.")
    if re.fullmatch(r"[\w.]+:\w+", name):
        raise CheckpointError(
            f"{name}: a class of one's own is named by the format of an agent.toml; give its "
            "folder here (docs/agents.md, a class of your own)."
        )
    if Path(name).suffix or os.sep in name:
        raise CheckpointError(f"{name}: no such file, folder or agent.")
    known = {folder.name for folder in agent_folders()} | {RANDOM}
    raise UnknownName("agent", name, known, "A checkpoint is named by its path.")


def check_named(name: str) -> None:
    """Refuse a name behind which there is nothing, before anything heavy is loaded.

    Raises:
        UnknownName, CheckpointError: as ``find_folder``.
    """
    if not Path(name).exists():
        find_folder(name)
