"""agent.toml: the description of an agent, read, completed and written.

Tables: ``[agent]`` (name, format, weights, sha256, algorithm, licence, source, preset, assumed),
``[environment]``, ``[observation]``, ``[action]``, ``[network]``, ``[value]``, ``[score]``; their
keys are the fields of the classes in ``agentlens.spec``. Two things may be left to a name:
``[agent] preset`` stands for what ``[environment]`` (but its id) and ``[observation]`` do not say,
and ``[network] architecture`` for the chains. A written agent.toml says everything.

A *recipe* is a partial agent.toml for an import; it may leave out any table, and has one more,
``[sources]``: for each layer with tensors ("torso.0") where they are in the checkpoint.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from agentlens import mapping
from agentlens.envs import protocols
from agentlens.errors import CheckpointError, ManifestError
from agentlens.layer_spec import NetworkSpec
from agentlens.policies.architectures import architecture
from agentlens.policies.toml import write_toml
from agentlens.spec import ActionSpec, AgentSpec, EnvironmentSpec, ObservationSpec

MANIFEST = "agent.toml"
MAX_MANIFEST_BYTES = 1 << 18
MAX_KEY_PARTS = 16
_LATER = {"kind", "options", "source", "channels", "zero"}
"""Fields that the first manifests had not: a manifest without them says all there was to say."""

_TABLES = ("environment", "observation", "action", "network", "value", "score")


def read_manifest(path: Path) -> AgentSpec:
    """Read and check an agent.toml; what its preset stands for is filled in.

    Raises:
        ManifestError: unreadable, an unknown or missing key, an impossible value; names its path.
        UnknownName: an unknown preset, environment id or architecture.
    """
    data = read_toml(path)
    try:
        return spec_from_tables(data)
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error


def spec_from_tables(data: Mapping[str, Any]) -> AgentSpec:
    """Turn the tables of an agent.toml into a complete spec; see :func:`read_manifest`."""
    unknown = sorted(set(data) - {"agent", *_TABLES})
    if unknown:
        raise ManifestError(f"[{unknown[0]}]: unknown table; known: agent, {', '.join(_TABLES)}.")
    agent = _table(data, "agent")
    flat = {**agent, **{name: data[name] for name in _TABLES if name in data}}
    environment, observation = _table(data, "environment"), _table(data, "observation")
    if not _says_all(EnvironmentSpec, environment) or not _says_all(ObservationSpec, observation):
        if "id" not in environment:
            raise ManifestError("environment.id: missing; add it.")
        _check_names(agent, environment)
        resolved = protocols.resolve(
            environment["id"],
            preset=agent.get("preset") or None,
            environment=environment,
            observation=with_nones(ObservationSpec, observation),
        )
        flat["environment"] = mapping.encode(resolved.environment)
        flat["observation"] = mapping.encode(resolved.observation)
        limit = resolved.environment.max_frames
        by_id = () if "max_frames" in environment else (f"environment.max_frames = {limit}",)
        flat["assumed"] = [*agent.get("assumed", ()), *resolved.assumed, *by_id]
    if "network" in data:
        actions = mapping.decode(ActionSpec, data.get("action", {}), "action").meanings
        flat["network"] = mapping.encode(decode_network(data["network"], len(actions)))
    return mapping.decode(AgentSpec, flat)


def _check_names(agent: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
    """Names that are looked up before the whole is decoded: text, and a list of text."""
    names = {"environment.id": environment["id"], "agent.preset": agent.get("preset", "")}
    for path, value in names.items():
        if not isinstance(value, str):
            raise ManifestError(f"{path}: expected text, got {value!r:.80}.")
    if not isinstance(agent.get("assumed", []), list):
        raise ManifestError("agent.assumed: expected a list of text.")


def decode_network(table: Any, actions: int) -> NetworkSpec:
    """Read a ``[network]`` table; a known ``architecture`` stands for its chains.

    Raises:
        ManifestError, UnknownName: see :func:`read_manifest`.
    """
    if isinstance(table, Mapping) and "architecture" in table:
        rest = {key: value for key, value in table.items() if key != "architecture"}
        if "chains" in rest:
            raise ManifestError("network: architecture and chains exclude each other.")
        chains = architecture(str(table["architecture"]), actions).chains
        table = {**rest, "chains": mapping.encode(chains)}
    return mapping.decode(NetworkSpec, table, "network")


def write_manifest(path: Path, spec: AgentSpec) -> None:
    """Write an agent.toml that says everything; reading it gives an equal spec."""
    path.write_text(manifest_text(spec), encoding="utf-8")


def manifest_text(spec: AgentSpec) -> str:
    """The text of an agent.toml."""
    plain = mapping.encode(spec)
    agent = {key: value for key, value in plain.items() if key not in _TABLES}
    agent = {key: value for key, value in agent.items() if value not in ("", [])}
    environment = plain["environment"]
    environment[environment["kind"]] = environment.pop("options")
    if "network" in plain:
        plain["network"]["chains"] = [_compact_chain(c) for c in plain["network"]["chains"]]
    tables = {"agent": agent, **{name: plain[name] for name in _TABLES if plain.get(name)}}
    return write_toml(tables)


_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_KEY_PARTS},}}")
"""What would take time and memory that grow with the square of its length."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        CheckpointError: no such file.
        ManifestError: not TOML, or absurdly large.
    """
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ManifestError(f"{path}: more than {MAX_MANIFEST_BYTES:,} bytes.")
        text = path.read_bytes().decode("utf-8")
        if _LONG_KEY.search(text):
            raise ManifestError(f"{path}: a key of more than {MAX_KEY_PARTS} dotted parts.")
        return tomllib.loads(text)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ManifestError(f"{path}: not readable TOML ({error}).") from error


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = data.get(name, {})
    if not isinstance(table, Mapping):
        raise ManifestError(f"{name}: expected a table, got {type(table).__name__}.")
    return table


def with_nones(cls: type, table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A table that says all but optional fields, with these as ``None``: TOML has no word for
    it."""
    if not _says_all(cls, table):
        return table
    return {**{f.name: None for f in fields(cls) if f.default is None}, **table}


def _says_all(cls: type, table: Mapping[str, Any]) -> bool:
    """Whether a table has every field of a class but those that may be None."""
    needed = {f.name for f in fields(cls) if f.default is not None or f.default is MISSING}
    return needed - _LATER <= set(table)


_LAYER_KEYS = {
    "conv": ("out", "kernel", "stride", "padding"),
    "linear": ("out",),
    "gru": ("out",),
    "lstm": ("out",),
    "leaky_relu": ("slope",),
    "batch_norm": ("epsilon",),
    "layer_norm": ("epsilon",),
    "max_pool": ("kernel", "stride", "padding"),
    "avg_pool": ("kernel", "stride", "padding"),
    "add": ("back", "chain"),
    "multiply": ("back", "chain"),
}


def _compact_chain(chain: Mapping[str, Any]) -> dict[str, Any]:
    """A chain whose layers say only what their kind uses."""
    layers = []
    for layer in chain["layers"]:
        keys = ("kind", *_LAYER_KEYS.get(layer["kind"], ()))
        layers.append({key: layer[key] for key in keys if key in layer})
    return {**chain, "layers": layers}
