"""Which engine evaluates the masks, and why."""

from __future__ import annotations

import logging
from typing import Protocol

from agentlens.errors import InvalidArgument, UnknownName
from agentlens.policies.base import Policy
from agentlens.policies.constant import ConstantPolicy
from agentlens.saliency.engine import batched, constant, incremental, reference
from agentlens.saliency.engine.base import Engine, MaskedPlanes
from agentlens.saliency.engine.settings import device_of

_log = logging.getLogger(__name__)


class BuildEngine(Protocol):
    """How every engine is built."""

    def __call__(
        self, policy: Policy, perturbation: MaskedPlanes, *, memory_bytes: int, threads: int
    ) -> Engine:
        """Prepare plans and workspaces."""


def choose_engine(
    name: str, policy: Policy, *, of_each_mask: bool = False
) -> tuple[BuildEngine, str, str]:
    """The builder of an engine, its name and the reason for it.

    Args:
        name: "auto", "reference", "batched" or "incremental".
        policy: where it is decides: "auto" is incremental on a CPU where masks can be
            followed through the front of the policy, else batched; a policy that looks at nothing
            needs no masks.

        of_each_mask: every mask is filled with something of its own, as with noise.

    Raises:
        UnknownName: another name.
        InvalidArgument: "incremental" where it cannot work.
    """
    if name not in ("auto", "reference", "batched", "incremental"):
        raise UnknownName("engine", name, ("auto", "reference", "batched", "incremental"))
    if name == "reference":
        return reference.build, "reference", "asked for"
    if name == "batched":
        return batched.build, "batched", "asked for"
    if name == "auto" and isinstance(policy, ConstantPolicy):
        return constant.build, "constant", "the policy looks at nothing"
    obstacle = _obstacle(policy, of_each_mask)
    if name == "incremental" and obstacle:
        raise InvalidArgument(f"engine 'incremental' cannot be used here: {obstacle}.")
    if obstacle:
        _log.info("engine batched: %s", obstacle)
        return batched.build, "batched", obstacle
    return (
        incremental.build,
        "incremental",
        "convolutions on a CPU, through which masks can be followed",
    )


def _obstacle(policy: Policy, of_each_mask: bool) -> str:
    """Why the incremental engine cannot or should not be used; "" where it can."""
    if device_of(policy).type != "cpu":
        return f"the policy is on {device_of(policy)}, where large batches are faster"
    if of_each_mask:
        return "every mask is filled with something of its own"
    return incremental.unsupported(policy) or ""
