"""Which device to compute on."""

from __future__ import annotations

import re

import torch

from agentlens.errors import InvalidArgument


def choose_device(name: str = "auto") -> torch.device:
    """Turn "auto", "cpu", "cuda" or "cuda:N" into a device that is there.

    "auto" is the first CUDA device where there is one, else the CPU.

    Raises:
        InvalidArgument: another name, or a CUDA device that is not there; says what is.
    """
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"auto|cuda(?::(\d{1,3}))?", name)
    if match is None:
        raise InvalidArgument(f"device {name!r}: expected auto, cpu, cuda or cuda:N.")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda:0" if count else "cpu")
    index = int(match.group(1) or 0)
    if index >= count:
        there = f"there are {count} CUDA devices" if count else "this PyTorch sees no CUDA device"
        raise InvalidArgument(f"device {name!r}: {there}; use auto or cpu.")
    return torch.device("cuda", index)
