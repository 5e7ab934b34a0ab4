"""Policies that are a class of their own, named by an import string: they run foreign code."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from agentlens.errors import CheckpointError, UnsafeCheckpoint, WeightMismatch
from agentlens.policies.base import Policy
from agentlens.policies.state_dicts import select
from agentlens.policies.torchfile import read_torch_file
from agentlens.policies.weights import read_safetensors
from agentlens.spec import AgentSpec


def build_custom(spec: AgentSpec, weights: Path | None, *, trust_code: bool) -> Policy:
    """Build the policy that ``spec.format`` names as ``module:Class``.

    The class takes the :class:`~agentlens.spec.AgentSpec` and is a ``Policy``; its weights are read
    as tensors, as for every other policy, and must fit its ``state_dict``.

    Raises:
        UnsafeCheckpoint: ``trust_code`` is not set.
        CheckpointError: the class cannot be imported or is no Policy.
        WeightMismatch: the weights do not fit it.
    """
    if not trust_code:
        raise UnsafeCheckpoint(
            f"agent {spec.name!r} runs the code {spec.format!r}. Nothing was run; if you trust it, "
            "pass trust_code=True (--trust-code)."
        )
    module, _, name = spec.format.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"{spec.format!r} cannot be imported: no module {error.name!r}; put its folder on "
            f"PYTHONPATH (PYTHONPATH=folder agentlens ...), or install it."
        ) from error
    except (ImportError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{spec.format!r} cannot be imported ({error}).") from error
    if not (isinstance(kind, type) and issubclass(kind, Policy)):
        raise CheckpointError(f"{spec.format!r} is no agentlens.policies.base.Policy.")
    policy = kind(spec)
    if weights is not None:
        try:
            policy.load_state_dict(_tensors(weights), strict=True)
        except RuntimeError as error:
            raise WeightMismatch(f"{weights}: {error}") from error
    return policy.requires_grad_(False).eval()


def _tensors(weights: Path) -> Mapping[str, Tensor]:
    if weights.suffix == ".safetensors":
        return read_safetensors(weights)
    return select(read_torch_file(weights), lambda tensors: bool(tensors) or None).tensors
