"""From the flags of a command to an agent on a device. Imports torch: only for ``run``."""

from __future__ import annotations

import dataclasses
import os
import sys

import torch

from agentlens.cli._options import AgentChoice, DeviceFlags
from agentlens.compute import Compute
from agentlens.policies.agent import Agent, load_agent
from agentlens.policies.device import choose_device


def use_compute(flags: DeviceFlags) -> Compute:
    """Set the thread count, choose the device and say both.

    Raises:
        InvalidArgument: a negative number of threads, no memory, or no such device.
    """
    chosen = flags.compute
    threads = chosen.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    device = choose_device(chosen.device)
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    print(f"device: {device}{name}, {threads} CPU threads", file=sys.stderr)
    return dataclasses.replace(chosen, device=str(device))


def load_chosen(choice: AgentChoice, flags: DeviceFlags) -> tuple[Agent, Compute]:
    """Load the agent that the flags name; returns it with what computes."""
    chosen = use_compute(flags)
    agent = load_agent(
        choice.agent,
        format=choice.format,
        env=choice.env,
        preset=choice.preset,
        trust_code=choice.trust_code,
    )
    for line in agent.spec.assumed:
        print(f"assumed: {line}", file=sys.stderr)
    return agent, chosen
