"""CleanRL's torch models (``.cleanrl_model``): the plain state dict of PPO, DQN, PPO with an LSTM
or PQN, in a folder whose name begins with the environment."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.layouts import state_dict_checkpoint
from agentlens.policies.signature import Signature
from agentlens.policies.torchfile import read_torch_file

_RUN = re.compile(r"([A-Za-z0-9]+-v\d)(?:__|-)\w")
"""A run's folder, "Env-v4__script__seed__time", or that of a model on the Hugging Face hub."""


def _likeness(file: Signature) -> int:
    if file.kind not in ("torch", "torch-legacy") or b"model_weights" in file.names:
        return 0
    heads = (b"actor.weight", b"network.9.weight", b"network.13.weight")
    ours = b"network.0.weight" in file.names and any(head in file.names for head in heads)
    return 2 if ours else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    checkpoint = state_dict_checkpoint(read_torch_file(path), hints)
    run = _RUN.match(path.absolute().parent.name)
    if run is None:
        return checkpoint
    env = run.group(1)
    if env.endswith("-v5"):  # envpool's ids lack the namespace
        env = f"ALE/{env}"
    line = f"environment.id = {env}: by the name of the folder, used where no other is given"
    return dataclasses.replace(checkpoint, env=env, assumed=(*checkpoint.assumed, line))


FORMAT = Format(
    summary="CleanRL .cleanrl_model (PPO, DQN, PPO with an LSTM, PQN)",
    likeness=_likeness,
    read=_read,
)
