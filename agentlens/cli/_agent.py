"""From the flags of a command to an agent on a device. Imports torch: only for ``run``."""

from __future__ import annotations

import os
import sys

import torch

from agentlens.cli._options import AgentChoice, Compute
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.device import choose_device


def use_compute(compute: Compute) -> str:
    """Set the thread count, choose the device and say both.

    Raises:
        InvalidArgument: a negative number of threads, or no such device.
    """
    if compute.threads < 0:
        raise InvalidArgument(f"{compute.threads} threads: expected 0 (one a core) or more.")
    threads = compute.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    device = choose_device(compute.device)
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    print(f"device: {device}{name}, {threads} CPU threads", file=sys.stderr)
    return str(device)


def load_chosen(choice: AgentChoice, compute: Compute) -> tuple[Agent, str]:
    """Load the agent that the flags name; returns it with the device's name."""
    device = use_compute(compute)
    agent = load_agent(
        choice.agent,
        format=choice.format,
        env=choice.env,
        preset=choice.preset,
        trust_code=choice.trust_code,
    )
    for line in agent.spec.assumed:
        print(f"assumed: {line}", file=sys.stderr)
    return agent, device
