"""From a checkpoint and what is known about it to a complete description and its policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentlens import mapping
from agentlens.envs import protocols
from agentlens.envs.base import action_meanings, fitting_actions
from agentlens.errors import InvalidArgument, ManifestError
from agentlens.policies.checkpoint import Checkpoint, Hints, detect_format, read_checkpoint
from agentlens.policies.manifest import decode_network, read_toml, with_nones
from agentlens.policies.networks import ChainPolicy, build_policy
from agentlens.policies.probes import check_outputs_finite
from agentlens.policies.weights import load_tensors
from agentlens.provenance import file_digest
from agentlens.spec import (
    ActionSpec,
    AgentSpec,
    EnvironmentSpec,
    ObservationSpec,
    ScoreSpec,
    ValueSpec,
)

WEIGHTS = "policy.safetensors"

_TABLES = (
    "agent",
    "environment",
    "observation",
    "action",
    "network",
    "value",
    "score",
    "sources",
)
_AGENT_KEYS = ("algorithm", "licence", "source", "preset", "format")


def describe_checkpoint(
    checkpoint: Path,
    *,
    name: str,
    format: str | None = None,
    env: str | None = None,
    preset: str | None = None,
    manifest: Path | None = None,
    trust_code: bool = False,
) -> tuple[AgentSpec, ChainPolicy]:
    """Read a checkpoint and complete its description; nothing is written.

    What the caller says beats the recipe, the recipe beats the file, the file beats the preset.
    What nobody says is in ``assumed``.

    Args:
        checkpoint, format, env, preset: as for ``load_agent``.
        name: of the agent.
        manifest: a recipe: see ``policies.manifest``.
        trust_code: allow the package that a Gymnasium id names, and wrappers, to run.

    Raises:
        CheckpointError, ManifestError, InvalidArgument, NotFinite: and their kinds; each names
            the file, table or tensor.
    """
    recipe = _read_recipe(manifest)
    agent, settings = _table(recipe, "agent"), dict(_table(recipe, "environment"))
    recipe_env = settings.pop("id", None)
    env = env or recipe_env
    preset = preset or agent.get("preset")
    format = format or agent.get("format") or detect_format(checkpoint)
    meanings = _table(recipe, "action").get("meanings", ())
    contents = read_checkpoint(
        checkpoint, format, _hints(recipe, len(meanings), env, trust_code=trust_code)
    )
    env = env or _stated_id(contents, checkpoint)
    settings = {**_stated_environment(contents, env, preset), **settings}
    resolved, assumed = _protocol(
        contents, env, preset, settings, _table(recipe, "observation"), trust_code
    )
    action, environment = _actions(contents, resolved, _table(recipe, "action"), trust_code)
    if environment != resolved.environment:
        assumed.append(f"environment.options = {environment.options}: {contents.actions} outputs")
    spec = AgentSpec(
        name=name,
        format="safetensors",
        environment=environment,
        observation=resolved.observation,
        action=action,
        network=contents.network,
        weights=WEIGHTS,
        algorithm=agent.get("algorithm") or contents.algorithm,
        licence=agent.get("licence", ""),
        source=agent.get("source") or _origin(checkpoint, format),
        preset=preset or contents.preset,
        value=_value(recipe, contents, preset or contents.preset),
        score=mapping.decode(ScoreSpec, recipe["score"], "score") if "score" in recipe else None,
        assumed=(*contents.assumed, *assumed),
    )
    return spec, _filled_policy(contents, spec, checkpoint)


def _stated_id(contents: Checkpoint, checkpoint: Path) -> str:
    if not contents.env:
        raise InvalidArgument(
            f"{checkpoint}: does not say which environment it is for; give env, such as "
            "'ALE/Pong-v5'."
        )
    return contents.env


def _filled_policy(contents: Checkpoint, spec: AgentSpec, checkpoint: Path) -> ChainPolicy:
    policy = build_policy(contents.network, spec.observation, spec.action)
    load_tensors(policy, contents.tensors)
    check_outputs_finite(policy, spec.observation, str(checkpoint))
    return policy


def _stated_environment(contents: Checkpoint, env: str, preset: str | None) -> Mapping[str, Any]:
    """What the file says of its environment, as far as it holds for this one: nothing under another
    preset, and no frame skip under another id."""
    if preset and preset != contents.preset:
        return {}
    elsewhere = contents.env and env != contents.env
    of_the_id = ("frame_skip", "step_frames")
    return {k: v for k, v in contents.environment.items() if k not in of_the_id or not elsewhere}


def _value(recipe: Mapping[str, Any], contents: Checkpoint, preset: str) -> ValueSpec:
    """What the critic was trained on: as the recipe says, else the file, else the preset."""
    if "value" in recipe:
        return mapping.decode(ValueSpec, recipe["value"], "value")
    if contents.value.reward == "unknown" and preset:
        return dataclasses.replace(contents.value, reward=protocols.presets()[preset].reward)
    return contents.value


def _origin(checkpoint: Path, format: str) -> str:
    return f"{checkpoint.name} ({format}), sha256 {file_digest(checkpoint)}"


def _read_recipe(path: Path | None) -> dict[str, Any]:
    recipe = read_toml(path) if path is not None else {}
    for key in recipe:
        if key not in _TABLES:
            raise ManifestError(f"{path}: [{key}]: unknown table; known: {', '.join(_TABLES)}.")
    for key, value in _table(recipe, "agent").items():
        if key not in _AGENT_KEYS or not isinstance(value, str):
            raise ManifestError(
                f"{path}: agent.{key}: a recipe may say {', '.join(_AGENT_KEYS)}, as text."
            )
    if not isinstance(env := _table(recipe, "environment").get("id", ""), str):
        raise ManifestError(f"{path}: environment.id: expected text, got {env!r:.80}.")
    if not isinstance(names := _table(recipe, "action").get("meanings", []), list):
        raise ManifestError(f"{path}: action.meanings: expected a list, got {names!r:.80}.")
    return recipe


def _table(recipe: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = recipe.get(name, {})
    if not isinstance(table, Mapping):
        raise ManifestError(f"{name}: expected a table, got {type(table).__name__}.")
    return table


def _hints(recipe: Mapping[str, Any], actions: int, env: str | None, *, trust_code: bool) -> Hints:
    sources = _table(recipe, "sources")
    for layer, source in sources.items():
        if not isinstance(source, str):
            raise ManifestError(f"sources.{layer}: expected text, got {source!r}.")
    if "network" not in recipe:
        return Hints(sources=sources, observation=_table(recipe, "observation"))
    if not actions and env:
        world = protocols.resolve(env, trust_code=trust_code).environment
        actions = len(action_meanings(world, trust_code=trust_code))
    if not actions:
        raise ManifestError("network: the number of actions is unknown; give action.meanings.")
    network = decode_network(recipe["network"], actions)
    return Hints(
        network=network,
        sources=sources,
        actions=actions,
        observation=_table(recipe, "observation"),
    )


def _protocol(
    contents: Checkpoint,
    env: str,
    preset: str | None,
    environment: Mapping[str, Any],
    observation: Mapping[str, Any],
    trust_code: bool,
) -> tuple[protocols.Resolved, list[str]]:
    assumed = []
    told = bool(preset)
    if not preset and contents.preset:
        preset = contents.preset
        if contents.preset_assumed:
            assumed.append(f"preset = {preset}: the file does not say how it was trained")
    resolved = protocols.resolve(
        env,
        preset=preset or None,
        environment=environment,
        observation={**contents.observation, **with_nones(ObservationSpec, observation)},
        trust_code=trust_code,
    )
    overridden = () if told else resolved.overridden
    return resolved, [*assumed, *resolved.assumed, *overridden]


def _actions(
    contents: Checkpoint,
    resolved: protocols.Resolved,
    table: Mapping[str, Any],
    trust_code: bool,
) -> tuple[ActionSpec, EnvironmentSpec]:
    """The action table, and the environment with as many actions as the policy has outputs."""
    environment = resolved.environment
    if "meanings" not in table:
        environment = fitting_actions(environment, contents.actions, trust_code=trust_code)
    known = action_meanings(environment, trust_code=trust_code)
    stated = {
        "meanings": known,
        "selection": contents.selection,
        "epsilon": contents.epsilon,
        "reason": contents.reason,
        **table,
    }
    action = mapping.decode(ActionSpec, stated, "action")
    if len(action.meanings) != contents.actions:
        raise InvalidArgument(
            f"the policy has {contents.actions} outputs, but {environment.id} has "
            f"{len(action.meanings)} actions ({', '.join(action.meanings)}); give the right "
            "environment, or the meanings of the outputs in a manifest."
        )
    foreign = [m for m in action.meanings if m not in known]
    if foreign:
        raise InvalidArgument(
            f"action {foreign[0]!r} is none of {environment.id}: it has {', '.join(known)}."
        )
    return action, environment
