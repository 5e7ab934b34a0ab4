"""Stable-baselines3 zips: PPO, A2C, DQN, and sb3-contrib's QR-DQN and RecurrentPPO.

Only two members are read: ``policy.pth`` as tensors, ``data`` as JSON. Pickles in ``data``
(``:serialized:``) are never decoded, so nothing of the file is executed and neither
stable-baselines3 nor sb3-contrib is needed. The network is rebuilt from the tensors' names and
shapes; strides and the torso's activation are those of SB3's NatureCNN, the only image torso whose
names and shapes fit.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentlens.errors import CheckpointError
from agentlens.policies.archive import open_archive, strict_json
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.sb3_layout import rebuild
from agentlens.policies.torchfile import read_torch_bytes
from agentlens.policies.weights import MAX_BYTES, check_file, collect
from agentlens.policies.zoo import read_zoo_files
from agentlens.spec import ValueSpec

MAX_DATA_BYTES = 64 << 20


def _likeness(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return 0
    try:
        with zipfile.ZipFile(path) as archive:
            return 2 if {"data", "policy.pth"} <= set(archive.namelist()) else 0
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    check_file(path)
    with path.open("rb") as file:
        archive = open_archive(file, str(path))
        fields = strict_json(archive.read("data", MAX_DATA_BYTES), f"{path}: data")
        weights = archive.read("policy.pth", MAX_BYTES)
    if not isinstance(fields, dict):
        raise CheckpointError(f"{path}: data is no JSON object; expected an SB3 zip.")
    tensors = read_torch_bytes(weights, f"{path}: policy.pth")
    zoo = read_zoo_files(path)
    declared = _mapping(fields, "policy_kwargs")
    rebuilt = rebuild(tensors, str(declared.get("activation_fn", "")), _count(fields))
    selection, epsilon, reason = _selection(rebuilt.algorithm, fields)
    on_policy = "PPO" if "clip_range" in fields else "A2C"
    gamma = fields.get("gamma")
    scaled = declared.get("normalize_images", True) not in (False, "False")
    return Checkpoint(
        network=rebuilt.network,
        tensors=collect(rebuilt.network, tensors, rebuilt.sources),
        actions=rebuilt.actions,
        algorithm=rebuilt.algorithm or zoo.algorithm or on_policy,
        observation=_observation(path, fields, rebuilt.planes, scaled),
        env=zoo.env,
        preset="sb3-atari",
        preset_assumed=not zoo.preset,
        selection=selection,  # type: ignore[arg-type]
        epsilon=epsilon,
        reason=reason,
        value=ValueSpec(gamma=float(gamma) if isinstance(gamma, int | float) else None),
        assumed=rebuilt.assumed,
    )


def _selection(algorithm: str, fields: Mapping[str, Any]) -> tuple[str, float, str]:
    if algorithm not in ("DQN", "QR-DQN"):
        return "sample", 0.0, "trained by sampling from its softmax"
    rate = fields.get("exploration_final_eps")
    if type(rate) is float and 0.0 < rate <= 0.1:
        return "epsilon", rate, "the exploration that training ended with, as the file says"
    return "greedy", 0.0, "Q-values have no softmax"


def _observation(
    path: Path, fields: Mapping[str, Any], planes: int, scaled: bool
) -> dict[str, Any]:
    """Stack, size and scale; the observation space is text that SB3 writes beside its pickle."""
    found: dict[str, Any] = {"stack": planes, "scale_divisor": 255.0 if scaled else 1.0}
    shape = _mapping(fields, "observation_space").get("_shape")
    numbers = re.findall(r"\d{1,5}", str(shape)) if shape is not None else []
    sizes = [int(n) for n in numbers]
    if len(sizes) == 3:
        if sizes[0] != planes:
            raise CheckpointError(
                f"{path}: observations of shape {tuple(sizes)}, but the first convolution reads "
                f"{planes} planes; expected ({planes}, rows, columns)."
            )
        found["resize"] = [sizes[1], sizes[2]]
    return found


def _count(fields: Mapping[str, Any]) -> int | None:
    """Number of actions, as text beside the pickled action space; only QR-DQN needs it."""
    count = str(_mapping(fields, "action_space").get("n", ""))
    return int(count) if count.isdigit() and len(count) <= 4 else None


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, Mapping) else {}


FORMAT = Format(
    summary="stable-baselines3 zip (PPO, A2C, DQN, QR-DQN, RecurrentPPO)",
    likeness=_likeness,
    read=_read,
)
