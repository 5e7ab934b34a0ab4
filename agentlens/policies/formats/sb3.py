"""Stable-baselines3 zips: PPO, A2C, DQN, and sb3-contrib's QR-DQN and RecurrentPPO.

Only two members are read: ``policy.pth`` as tensors, ``data`` as JSON. Pickles in ``data``
(``:serialized:``) are never decoded, so nothing of the file is executed and neither
stable-baselines3 nor sb3-contrib is needed. The network is rebuilt from the tensors' names and
shapes; strides and the torso's activation are those of SB3's NatureCNN, the only image torso whose
names and shapes fit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from agentlens.errors import CheckpointError
from agentlens.policies.archive import open_archive, strict_json
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.foreign import foreign_file
from agentlens.policies.sb3_fields import (
    action_count,
    check_policy,
    mapping_field,
    read_observation,
)
from agentlens.policies.sb3_layout import Rebuilt, rebuild
from agentlens.policies.signature import Signature
from agentlens.policies.state_dicts import plain_names
from agentlens.policies.torchfile import ZIP_START, read_torch_bytes
from agentlens.policies.weights import MAX_BYTES, check_file, collect
from agentlens.policies.zoo import ZooFiles, read_zoo_files
from agentlens.spec import SCREEN_SHAPE

MAX_DATA_BYTES = 16 << 20


def _likeness(file: Signature) -> int:
    return 2 if {"data", "policy.pth"} <= set(file.members) else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    check_file(path)
    data = path.read_bytes()
    if not data.startswith(ZIP_START):
        raise foreign_file(data, str(path))
    archive = open_archive(data, str(path))
    if not {"data", "policy.pth"} <= set(archive.names):
        raise foreign_file(data, str(path), archive.names)
    fields = strict_json(archive.read("data", MAX_DATA_BYTES), f"{path}: data")
    weights = archive.read("policy.pth", MAX_BYTES)
    if not isinstance(fields, dict):
        raise CheckpointError(f"{path}: data is no JSON object; expected an SB3 zip.")
    tensors = plain_names(read_torch_bytes(weights, f"{path}: policy.pth").tensors)
    listed = check_policy(fields, str(path))
    declared = mapping_field(fields, "policy_kwargs")
    rebuilt = rebuild(tensors, str(declared.get("activation_fn", "")), action_count(fields))
    zoo = read_zoo_files(path)
    checkpoint = _checkpoint(
        fields, rebuilt, zoo, collect(rebuilt.network, tensors, rebuilt.sources)
    )
    observation = _observation(path, fields, rebuilt.planes, zoo, hints)
    assumed = (*rebuilt.assumed, *listed, *zoo.assumed)
    if observation.get("channels") == 3 and not zoo.preset:
        line = f"observation.channels = 3: {rebuilt.planes} planes, taken as colour frames"
        checkpoint = dataclasses.replace(checkpoint, preset="", preset_assumed=False)
        assumed = (*assumed, line)
    return dataclasses.replace(checkpoint, observation=observation, assumed=assumed)


def _checkpoint(
    fields: Mapping[str, Any], rebuilt: Rebuilt, zoo: ZooFiles, tensors: Mapping[str, Tensor]
) -> Checkpoint:
    selection, epsilon, reason = _selection(rebuilt.algorithm, fields)
    on_policy = "PPO" if "clip_range" in fields else "A2C"
    return Checkpoint(
        network=rebuilt.network,
        tensors=tensors,
        actions=rebuilt.actions,
        algorithm=rebuilt.algorithm or zoo.algorithm or on_policy,
        environment=zoo.environment,
        env=zoo.env,
        preset="sb3-atari",
        preset_assumed=not zoo.preset,
        selection=selection,  # type: ignore[arg-type]
        epsilon=epsilon,
        reason=reason,
        value=zoo.value(fields.get("gamma")),
    )


def _selection(algorithm: str, fields: Mapping[str, Any]) -> tuple[str, float, str]:
    if algorithm not in ("DQN", "QR-DQN"):
        return "sample", 0.0, "trained by sampling from its softmax"
    rate = fields.get("exploration_final_eps")
    if type(rate) is float and 0.0 < rate <= 0.1:
        return "epsilon", rate, "the exploration that training ended with, as the file says"
    return "greedy", 0.0, "Q-values have no softmax"


def _observation(
    path: Path, fields: Mapping[str, Any], planes: int, zoo: ZooFiles, hints: Hints
) -> dict[str, Any]:
    """What the zip and the zoo's files state; colour frames are told from grey ones.

    Raises:
        CheckpointError: planes that could be either, and nobody says which.
    """
    stated = {**zoo.observation, **read_observation(fields, planes, str(path))}
    size = zoo.observation.get("resize", stated.get("resize"))
    if stated.get("resize") != size:
        raise CheckpointError(
            f"{path}: planes of {stated['resize']}, but rl-zoo's screen_size is {size[0]}: these "
            "settings are another model's."
        )
    owner, stack = hints.observation, zoo.frame_stack
    whole = stated.get("resize") == [*SCREEN_SHAPE]
    colour = owner.get("channels") == 3 or planes == 3 * (stack or 0) or (whole and planes % 3 == 0)
    if "stack" in owner and "channels" not in owner:
        return stated
    if colour and planes % 3 == 0:
        stated |= {"stack": planes // 3, "channels": 3, "grayscale": "none"}
        return stated | ({"pool": "none"} if whole else {})
    if planes % 3 == 0 and "channels" not in owner and stack != planes:
        raise CheckpointError(
            f"{path}: the first convolution reads {planes} planes: {planes // 3} frames in "
            f"colour, or {planes} grey ones. Say channels = 3, or stack = {planes}, under "
            "[observation] in a manifest."
        )
    if stack is not None and stack != planes:
        raise CheckpointError(
            f"{path}: the first convolution reads {planes} planes, but rl-zoo's frame_stack is "
            f"{stack}: these settings are another model's."
        )
    return stated


FORMAT = Format(
    summary="stable-baselines3 zip (PPO, A2C, DQN, QR-DQN, RecurrentPPO)",
    likeness=_likeness,
    read=_read,
)
