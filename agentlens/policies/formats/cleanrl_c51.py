"""CleanRL's C51 models: a dict of ``model_weights`` and the script's ``args``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from agentlens.errors import CheckpointError, WeightMismatch
from agentlens.layer_spec import ChainSpec, NetworkSpec
from agentlens.policies.architectures import linear, nature_layers
from agentlens.policies.checkpoint import Checkpoint, Format, Hints
from agentlens.policies.signature import Signature
from agentlens.policies.state_dicts import select
from agentlens.policies.torchfile import Plain, TorchFile, read_torch_file
from agentlens.policies.weights import collect, rows
from agentlens.spec import ValueSpec

_SOURCES = {**{f"torso.{i}": f"network.{i}" for i in (0, 2, 4, 7)}, "q.0": "network.9"}


def _likeness(file: Signature) -> int:
    ours = (b"model_weights", b"network.9.weight", b"n_atoms", b"v_min")
    torch_file = file.kind in ("torch", "torch-legacy")
    return 2 if torch_file and all(name in file.names for name in ours) else 0


def _read(path: Path, hints: Hints) -> Checkpoint:
    file = read_torch_file(path)
    tensors = select(file, lambda t: "network.9.weight" in t or None).tensors
    atoms, support = _atoms(file, tensors)
    outputs = rows(tensors, "network.9.weight", 2)
    if outputs % atoms:
        raise WeightMismatch(f"{path}: {outputs} outputs are no multiple of {atoms} atoms.")
    actions = outputs // atoms
    torso = ChainSpec(name="torso", layers=nature_layers())
    head = ChainSpec(
        name="q",
        reads="torso",
        layers=(linear(outputs),),
        output="atoms",
        atoms=atoms,
        support=support,
    )
    network = NetworkSpec(chains=(torso, head))
    gamma, epsilon = file.plain.get("args.gamma"), file.plain.get("args.end_e")
    small = type(epsilon) is float and 0.0 < epsilon <= 0.1
    return Checkpoint(
        network=network,
        tensors=collect(network, tensors, _SOURCES),
        actions=actions,
        algorithm="C51",
        observation={"stack": int(tensors["network.0.weight"].shape[1])},
        preset="cleanrl-atari",
        env=_text(file.plain.get("args.env_id")),
        selection="epsilon" if small else "greedy",
        epsilon=epsilon if small and type(epsilon) is float else 0.0,
        reason="the exploration that training ended with" if small else "no softmax of Q-values",
        value=ValueSpec(gamma=gamma if type(gamma) is float else None, reward="clipped"),
        assumed=("network = c51: strides and activations as in CleanRL's c51_atari.py",),
    )


def _atoms(file: TorchFile, tensors: Mapping[str, Tensor]) -> tuple[int, tuple[float, float]]:
    """How many returns, and the lowest and the highest of them, as the script was told."""
    count = file.plain.get("args.n_atoms")
    bounds = [file.plain.get(f"args.{name}") for name in ("v_min", "v_max")]
    numbers = [float(b) for b in bounds if isinstance(b, int | float) and abs(b) < 1e9]
    if type(count) is not int or not 2 <= count <= 10_000 or len(numbers) != 2:
        raise CheckpointError(
            f"{file.name}: its args say n_atoms {count!r}, v_min and v_max {bounds!r}; expected "
            "two returns and a number of atoms between them."
        )
    return count, (numbers[0], numbers[1])


def _text(value: Plain) -> str:
    return value if isinstance(value, str) else ""


FORMAT = Format(
    summary="CleanRL's c51_atari.py (model_weights and args)", likeness=_likeness, read=_read
)
