"""Checkpoints turned into agent folders: agent.toml, policy.safetensors and a README.md."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import tempfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from agentlens.errors import (
    AgentlensError,
    AlreadyExists,
    CheckpointError,
    DiskError,
    InvalidArgument,
)
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.describing import WEIGHTS, describe_checkpoint
from agentlens.policies.manifest import MANIFEST, read_manifest, write_manifest
from agentlens.policies.networks import ChainPolicy
from agentlens.policies.run_folders import checkpoint_path
from agentlens.policies.weights import policy_tensors
from agentlens.provenance import file_digest
from agentlens.spec import AgentSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def import_agent(
    checkpoint: Path | str,
    folder: Path | str,
    *,
    format: str | None = None,
    env: str | None = None,
    preset: str | None = None,
    manifest: Path | str | None = None,
    trust_code: bool = False,
    force: bool = False,
) -> Path:
    """Convert a checkpoint into an agent's folder; nothing in it is executed.

    The folder appears whole or not at all, after the written policy was loaded again and found
    equal to the one in memory. What had to be assumed is in the written ``assumed``.

    Args:
        checkpoint, format, env, preset, manifest: as for ``load_agent``.
        folder: to make, such as "agents/my-ppo"; its name is the agent's: letters, digits, ``._-``,
            at most 64.
        trust_code: allow the package that a Gymnasium id names (module:Id) to run.
        force: replace an agent of that name.

    Returns:
        The agent's folder.

    Raises:
        AlreadyExists: the folder is there and ``force`` is not set.
        DiskError: the folder cannot be written.
        CheckpointError, ManifestError, InvalidArgument, NotFinite: as ``load_agent``.
    """
    folder = Path(folder)
    name = checked_name(folder.name)
    if folder.exists() and not force:
        raise AlreadyExists(f"{folder} is there already; choose another name or use --force.")
    spec, policy = describe_checkpoint(
        checkpoint_path(Path(checkpoint)),
        name=name,
        format=format,
        env=env,
        preset=preset,
        manifest=Path(manifest) if manifest else None,
        trust_code=trust_code,
    )
    agent = Agent(spec=spec, policy=policy, trust_code=trust_code)
    return save_agent(agent, folder, force=force)


def checked_name(name: str) -> str:
    """The name itself, if an agent may be called so.

    Raises:
        InvalidArgument: other than up to 64 letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgument(
            f"agent name {name!r}: expected up to 64 letters, digits, dots, dashes and underscores."
        )
    return name


def save_agent(agent: Agent, folder: Path, *, force: bool = False) -> Path:
    """Write an agent's folder, whole or not at all; agents made in memory included.

    What else lies in a folder that is replaced, a recipe or pictures, stays there.

    Raises:
        AlreadyExists: the folder is there and ``force`` is not set.
        DiskError: it cannot be written.
        CheckpointError: the policy is a class of its own and cannot be written as data.
    """
    if folder.exists() and not force:
        raise AlreadyExists(f"{folder} is there already; choose another name or use --force.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            spec = _write_files(agent, new)
            _check_equal(agent, spec, new)
            if folder.exists():
                _copy_others(folder, new)
                folder.rename(Path(scratch) / "old")
            new.rename(folder)
    except OSError as error:
        raise DiskError(f"{folder}: cannot be written ({error.strerror or error}).") from error
    return folder


def _copy_others(old: Path, new: Path) -> None:
    """Copy what the new folder has not, but for the old agent's weights."""
    try:
        replaced = read_manifest(old / MANIFEST).weights if (old / MANIFEST).is_file() else ""
    except AgentlensError:
        replaced = ""
    for path in old.iterdir():
        if path.name == replaced or (new / path.name).exists():
            continue
        copy = shutil.copytree if path.is_dir() else shutil.copy2
        copy(path, new / path.name)


def _write_files(agent: Agent, folder: Path) -> AgentSpec:
    spec, policy = agent.spec, agent.policy
    if isinstance(policy, ChainPolicy):
        path = folder / WEIGHTS
        path.write_bytes(safetensors.torch.save(policy_tensors(policy)))
        digest = file_digest(path)
        spec = dataclasses.replace(
            spec, format="safetensors", weights=WEIGHTS, network=policy.network, sha256=digest
        )
    elif spec.weights and agent.folder is not None:
        shutil.copyfile(agent.folder / spec.weights, folder / spec.weights)
    elif spec.weights:
        raise CheckpointError(f"agent {spec.name!r} has weights that cannot be written as data.")
    write_manifest(folder / MANIFEST, spec)
    card = agent.folder / "README.md" if agent.folder is not None else None
    text = card.read_text("utf-8") if card is not None and card.is_file() else agent_card(spec)
    (folder / "README.md").write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    return spec


def _check_equal(agent: Agent, spec: AgentSpec, folder: Path) -> None:
    """Load what was written and compare its outputs on random observations, bit for bit."""
    if ":" in spec.format:
        return
    again = load_agent(folder).policy
    generator = torch.Generator().manual_seed(0)
    observation = torch.rand(2, *spec.observation.shape, generator=generator)
    policy = agent.to("cpu").policy
    ours = policy(observation, policy.initial_state(2))
    theirs = again(observation, again.initial_state(2))
    for field, wanted, written in zip(ours._fields, ours, theirs, strict=True):
        if isinstance(wanted, Tensor) and isinstance(written, Tensor):
            same = torch.equal(wanted, written)
        else:
            same = wanted == written
        if not same:
            raise CheckpointError(f"{folder}: the written policy gives another {field}.")


def agent_card(spec: AgentSpec) -> str:
    """The first version of an agent's README.md."""
    score = spec.score
    measured = (
        f"{score.mean:g} (sd {score.sd:g}) over {score.episodes} episodes; {score.protocol}"
        if score is not None and score.sd is not None
        else "not measured"
    )
    lines = [
        f"# {spec.name}",
        "",
        f"- Game: {spec.environment.game} (`{spec.environment.id}`), frame skip "
        f"{spec.environment.frame_skip_text}, sticky actions "
        f"{spec.environment.repeat_action_probability:g}",
        f"- Algorithm: {spec.algorithm or 'not known'}",
        f"- Score (raw return): {measured}",
        f"- Actions: {', '.join(spec.action.meanings)}; {spec.action.selection}",
        f"- Licence: {spec.licence or 'not known'}",
        f"- Source: {spec.source or 'not known'}",
    ]
    if spec.assumed:
        lines += ["", "Assumed at import:", "", *(f"- {line}" for line in spec.assumed)]
    return "\n".join(lines) + "\n"
