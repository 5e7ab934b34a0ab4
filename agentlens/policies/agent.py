"""Agents: a policy with its description, found by name or path.

A name is looked for as a path, in ``./agents``, in the folder that ``AGENTLENS_AGENTS`` names, and
among the shipped agents; the first hit counts.
"""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import torch

from agentlens.envs import protocols
from agentlens.envs.base import action_meanings
from agentlens.errors import CheckpointError, InvalidArgument, ManifestError
from agentlens.policies.base import Policy
from agentlens.policies.catalogue import AgentEntry as AgentEntry
from agentlens.policies.catalogue import agent_folders, find_folder, random_spec
from agentlens.policies.catalogue import list_agents as list_agents
from agentlens.policies.checkpoint import FORMATS, Hints, read_checkpoint
from agentlens.policies.custom import build_custom
from agentlens.policies.describing import describe_checkpoint
from agentlens.policies.device import choose_device
from agentlens.policies.manifest import MANIFEST, read_manifest
from agentlens.policies.networks import build_policy
from agentlens.policies.run_folders import checkpoint_path, model_name
from agentlens.policies.weights import check_file, load_tensors
from agentlens.provenance import file_digest
from agentlens.spec import ActionSpec, AgentSpec, ScoreSpec
from agentlens.store.recording import Recording

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Agent:
    """A policy and everything said about it.

    ``folder``: where agent.toml and the weights lie; ``None`` for one made in memory.
    ``trust_code``: the user allowed code that it names (a policy class, wrappers) to run.
    """

    spec: AgentSpec
    policy: Policy
    folder: Path | None = None
    trust_code: bool = False

    def __repr__(self) -> str:
        plays = f"{self.spec.algorithm or self.spec.format}, {self.spec.environment.id}"
        return f"Agent({self.spec.name!r}, {plays}, {self.folder or 'in memory'})"

    def to(self, device: torch.device | str) -> Agent:
        """The same agent on a device; this one stays where it is."""
        target = choose_device(device) if isinstance(device, str) else device
        return dataclasses.replace(self, policy=copy.deepcopy(self.policy).to(target))


def load_agent(
    name: str | Path,
    *,
    format: str | None = None,
    env: str | None = None,
    preset: str | None = None,
    manifest: Path | str | None = None,
    device: str = "cpu",
    trust_code: bool = False,
) -> Agent:
    """Load an agent by name, from its folder, or straight from a checkpoint.

    Args:
        name: a name, an agent's folder, or a weight file, which is imported in memory.
        format: of a weight file; found out by looking inside where not given.
        env: environment id: needed for a weight file that does not say it and for "random"; for
            an agent that has one, plays another environment instead.
        preset: protocol and preprocessing; beats the agent's own.
        manifest: a recipe for a weight file (see ``policies.manifest``).
        device: "auto", "cpu", "cuda" or "cuda:N".
        trust_code: allow code to run that the agent names: a policy class of its own, the package
            of a Gymnasium id (module:Id), wrappers.

    Raises:
        UnknownName: no such agent; the nearest names are listed.
        CheckpointError: the weights cannot be used (UnsafeCheckpoint, WeightMismatch), or differ
            from the digest in agent.toml.
        ManifestError: agent.toml says something impossible.
        NotFinite: the weights hold a NaN or an infinity; names the tensor.
    """
    target = choose_device(device)
    path = checkpoint_path(Path(name))
    if path != Path(name):
        _log.warning("%s: the run's model %s is taken", name, path.name)
    if path.is_file() and path.name != MANIFEST:
        _check_not_hidden(str(name))
        spec, policy = describe_checkpoint(
            path,
            name=model_name(path),
            format=format,
            env=env,
            preset=preset,
            manifest=Path(manifest) if manifest else None,
            trust_code=trust_code,
        )
        return Agent(spec=spec, policy=policy, trust_code=trust_code).to(target)
    if format or manifest:
        raise InvalidArgument(f"format and manifest go with a weight file, and {name} is none.")
    folder = path.parent if path.is_file() else find_folder(str(name))
    if folder is None:
        return random_agent(env, preset=preset, trust_code=trust_code).to(target)
    spec = read_manifest(folder / MANIFEST)
    if env or preset:
        spec = _elsewhere(spec, env, preset, trust_code)
    own = _load_policy(spec, folder, trust_code)
    return Agent(spec=spec, policy=own, folder=folder, trust_code=trust_code).to(target)


def recorded_agent(
    recording: Recording, agent: Agent | None = None, *, device: str = "cpu"
) -> Agent:
    """The agent that played a recording, from the copy that lies in it.

    Args:
        recording: opened with ``trust_code`` where the agent names code of its own.
        agent: another copy of it, taken as it is.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        CheckpointError, ManifestError, NotFinite: as ``load_agent``.
    """
    if agent is None:
        agent = load_agent(recording.agent_folder, trust_code=recording.trust_code)
    return agent.to(choose_device(device))


def _check_not_hidden(name: str) -> None:
    if os.sep not in name and any(folder.name == name for folder in agent_folders()):
        kind = "folder" if os.path.isdir(name) else "file"
        raise InvalidArgument(
            f"{name!r} is a {kind} here and the name of an agent: say {'.' + os.sep + name} for "
            f"the {kind}, or the agent's folder with its path."
        )


def random_agent(env: str | None, *, preset: str | None = None, trust_code: bool = False) -> Agent:
    """The baseline that looks at nothing: every action of the minimal set equally likely.

    Raises:
        InvalidArgument: no environment given.
    """
    if not env:
        raise InvalidArgument("the random agent plays any game: give env, such as 'ALE/Pong-v5'.")
    own = protocols.id_settings(
        env, "repeat_action_probability", "frame_skip", trust_code=trust_code
    )
    if tuple(own["frame_skip"]) == (1, 1):  # left to whoever wraps it
        del own["frame_skip"]
    resolved = protocols.resolve(
        env,
        preset=preset or protocols.usual_preset(env),
        environment={} if preset else own,
        trust_code=trust_code,
    )
    environment = resolved.environment
    spec = dataclasses.replace(
        random_spec(),
        environment=environment,
        observation=resolved.observation,
        preset=preset or protocols.usual_preset(env) or "",
        action=ActionSpec(
            meanings=action_meanings(environment, trust_code=trust_code),
            selection="sample",
            reason="a baseline: uniform over the actions",
        ),
    )
    policy = _load_policy(spec, Path(), trust_code=False)
    return Agent(spec=spec, policy=policy, trust_code=trust_code)


def _elsewhere(spec: AgentSpec, env: str | None, preset: str | None, trust_code: bool) -> AgentSpec:
    """The agent in another environment or under another protocol; its score is no longer known."""
    resolved = protocols.resolve(
        env or spec.environment.id, preset=preset or spec.preset or None, trust_code=trust_code
    )
    environment = resolved.environment
    known = action_meanings(environment)
    foreign = [m for m in spec.action.meanings if m not in known]
    if foreign:
        raise InvalidArgument(
            f"agent {spec.name!r} has the action {foreign[0]!r}, which {environment.id} lacks: it "
            f"has {', '.join(known)}."
        )
    score: ScoreSpec | None = spec.score if environment == spec.environment else None
    overridden = () if preset else resolved.overridden
    return dataclasses.replace(
        spec,
        environment=environment,
        observation=resolved.observation if preset else spec.observation,
        preset=preset or spec.preset,
        score=score,
        assumed=(
            *spec.assumed,
            *(line for line in resolved.assumed if line.startswith("environment")),
            *overridden,
        ),
    )


def _load_policy(spec: AgentSpec, folder: Path, trust_code: bool) -> Policy:
    weights = folder / spec.weights if spec.weights else None
    if weights is not None:
        if Path(spec.weights).name != spec.weights:
            raise ManifestError(
                f"agent.weights: got {spec.weights!r}, expected the name of a file beside "
                f"{MANIFEST}."
            )
        check_file(weights)
        if spec.sha256 and file_digest(weights) != spec.sha256:
            raise CheckpointError(
                f"{weights}: its SHA-256 is not the one in {MANIFEST}: the weights were altered or "
                "damaged. Import them again."
            )
    if ":" in spec.format:
        return build_custom(spec, weights, trust_code=trust_code)
    form = FORMATS.load(spec.format)
    if form.build is not None:
        built: Policy = form.build(spec)
        return built
    if weights is None:
        raise ManifestError(f"agent.weights: missing, and format {spec.format!r} needs them.")
    contents = read_checkpoint(weights, spec.format, Hints(network=spec.network))
    policy = build_policy(spec.network or contents.network, spec.observation, spec.action)
    load_tensors(policy, contents.tensors)
    return policy
