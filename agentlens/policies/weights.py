"""Tensors in and out of a policy, by the names that ``networks`` documents, and their own file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from agentlens.errors import CheckpointError, NotFinite, UnsafeCheckpoint, WeightMismatch
from agentlens.layer_spec import NetworkSpec
from agentlens.policies.base import Policy
from agentlens.policies.chains import returns_by_action
from agentlens.policies.layers import PARAMETERS
from agentlens.policies.networks import ChainPolicy

MAX_BYTES = 1 << 30
"""A weight file larger than this (1 GiB) is refused unread."""

MAX_HEADER_BYTES = 4 << 20
"""A safetensors header longer than this (some 40,000 tensors) is refused unread."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_BROKEN_SAFETENSORS = (
    SafetensorError,
    AttributeError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)

Tensors = Mapping[str, Tensor]


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a .safetensors file onto the CPU.

    Raises:
        CheckpointError: no such file, or not a safetensors file.
        UnsafeCheckpoint: it is larger than ``MAX_BYTES``.
    """
    check_file(path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 10 or size > len(data) or data[8:9] != b"{":
        raise CheckpointError(f"{path}: not a safetensors file (it begins with {data[:8]!r}).")
    if size > MAX_HEADER_BYTES:
        raise UnsafeCheckpoint(
            f"{path}: a header of {size:,} bytes, expected at most {MAX_HEADER_BYTES:,}."
        )
    try:
        tensors: dict[str, Tensor] = safetensors.torch.load(data)
    except _BROKEN_SAFETENSORS as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error}).") from error
    return tensors


def check_file(path: Path) -> None:
    """Check that a weight file is there and of a reasonable size.

    Raises:
        CheckpointError, UnsafeCheckpoint: with the path and the reason.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weight file.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UnsafeCheckpoint(f"{path}: {size:,} bytes, expected at most {MAX_BYTES:,}.")
    if size == 0:
        raise CheckpointError(f"{path}: the file is empty.")


def policy_tensors(policy: ChainPolicy) -> dict[str, Tensor]:
    """The tensors of a policy by their documented names, as copies on the CPU."""
    return {name: t.detach().cpu().clone() for name, t in _slots(policy)}


def load_tensors(policy: ChainPolicy, tensors: Tensors) -> None:
    """Copy tensors into a policy: all of its own, no others, finite, float32.

    Args:
        policy: as ``build_policy`` made it; changed in place.
        tensors: by their documented names; float16, bfloat16, float32 or float64.

    Raises:
        WeightMismatch: a tensor is missing, unexpected or of another shape; names it.
        NotFinite: a tensor holds a NaN or an infinity; names it.
    """
    slots = dict(_slots(policy))
    for name in slots:
        if name not in tensors:
            raise WeightMismatch(
                f"tensor {name!r} is missing: the network declares it, the weights have "
                f"{len(tensors)} others."
            )
    for name, tensor in tensors.items():
        if name not in slots:
            raise WeightMismatch(f"tensor {name!r}: the declared network has no such layer.")
        check_tensor(name, tensor, tuple(slots[name].shape))
    for name, slot in slots.items():
        slot.copy_(tensors[name])


def check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    """Check one tensor's shape, kind and finiteness.

    Raises:
        WeightMismatch, NotFinite: with the tensor's name.
    """
    if tuple(tensor.shape) != shape:
        raise WeightMismatch(
            f"tensor {name!r} has shape {tuple(tensor.shape)}, the declared network expects "
            f"{shape}."
        )
    if tensor.dtype not in _FLOATS:
        raise WeightMismatch(
            f"tensor {name!r} is {tensor.dtype}, expected floating point of 16, 32 or 64 bits."
        )
    finite = torch.isfinite(tensor.float())
    if not bool(finite.all()):
        index = tuple(int(i) for i in (~finite).nonzero()[0])
        raise NotFinite(
            f"tensor {name!r} holds {tensor[index].item()} at index {index}, which is no finite "
            "float32: the weights are broken."
        )


def collect(
    network: NetworkSpec, tensors: Tensors, sources: Mapping[str, str]
) -> dict[str, Tensor]:
    """Rename foreign tensors to the documented names.

    Args:
        network: the chains to fill.
        tensors: as a checkpoint names them.
        sources: for each layer with tensors ("torso.0") where they are: a prefix
            ("features.0", which stands for "features.0.*") or a pattern with one star for the
            parameter's name ("rnn.*_l0").

    Raises:
        WeightMismatch: a layer has no source, or its source lacks a tensor; names both.
    """
    renamed = {}
    for layer, parameter in _declared(network):
        if layer not in sources:
            raise WeightMismatch(f"layer {layer!r} has no source among the checkpoint's tensors.")
        pattern, origin = _origin(sources[layer], parameter)
        if origin not in tensors:
            near = [n for n in tensors if n.startswith(pattern.split("*")[0])]
            there = ", ".join(near[:6]) or f"{', '.join(list(tensors)[:6])} ..."
            raise WeightMismatch(
                f"tensor {origin!r}, wanted as {layer}.{parameter}, is not in the checkpoint; "
                f"there is {there}."
            )
        renamed[f"{layer}.{parameter}"] = tensors[origin]
    return renamed


def foreign_names(network: NetworkSpec, sources: Mapping[str, str]) -> Iterator[str]:
    """How a checkpoint names each tensor of a network; ``sources`` as for ``collect``."""
    for layer, parameter in _declared(network):
        yield _origin(sources[layer], parameter)[1]


def _origin(source: str, parameter: str) -> tuple[str, str]:
    pattern = source if "*" in source else f"{source}.*"
    return pattern, pattern.replace("*", parameter, 1)


def _declared(network: NetworkSpec) -> Iterator[tuple[str, str]]:
    for chain in network.chains:
        for index, layer in enumerate(chain.layers):
            for parameter in PARAMETERS.get(layer.kind, ()):
                yield f"{chain.name}.{index}", parameter


def _slots(policy: ChainPolicy) -> Iterator[tuple[str, Tensor]]:
    own = policy.state_dict()
    numbers = {chain.name: i for i, chain in enumerate(policy.network.chains)}
    for layer, parameter in _declared(policy.network):
        chain, index = layer.rsplit(".", 1)
        yield f"{layer}.{parameter}", own[f"chains.{numbers[chain]}.{index}.{parameter}"]


def rows(tensors: Tensors, name: str, dimensions: int) -> int:
    """Size of the first axis of a tensor that must be there.

    Raises:
        WeightMismatch: it is missing, empty or has another number of axes.
    """
    if name not in tensors:
        there = ", ".join(list(tensors)[:6])
        raise WeightMismatch(f"tensor {name!r} is missing; there is {there} ...")
    tensor = tensors[name]
    if tensor.ndim != dimensions or tensor.numel() == 0:
        raise WeightMismatch(
            f"tensor {name!r} has shape {tuple(tensor.shape)}, expected {dimensions} axes, "
            "not empty."
        )
    return int(tensor.shape[0])


def output_count(network: NetworkSpec, tensors: Tensors) -> int:
    """How many actions the heads of a network have, by their tensors.

    Raises:
        WeightMismatch: the head's tensors are not there.
    """
    for chain in network.chains:
        if chain.output in ("logits", "q_values", "advantage", "quantiles", "atoms"):
            last = max((i for i, x in enumerate(chain.layers) if x.kind == "linear"), default=None)
            name = f"{chain.name}.{last}.bias"
            return rows(tensors, name, 1) // returns_by_action(chain)
    raise WeightMismatch("the network declares no actor and no Q-values.")


def weights_digest(policy: Policy) -> str:
    """SHA-256 of a policy's tensors with their names; "" where it has none."""
    tensors = policy.state_dict()
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].cpu().contiguous().numpy().tobytes())
    return digest.hexdigest() if tensors else ""
