"""Keeps what a benchmark found, with the machine and the versions that it was found on."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from agentlens.provenance import provenance

RESULTS = Path(__file__).parent / "results"

INTERVENTIONS = RESULTS / "interventions"
"""What edits of the console's bytes change, for docs/trust.md."""

MASKS = RESULTS / "masks"
"""What learned masks show, for docs/trust.md; figures of time lie in ``RESULTS`` itself."""


def cpu_model() -> str:
    """The processor's name, as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def gpu_model() -> str:
    """The first GPU's name, or "none"."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"


def made_here() -> dict[str, Any]:
    """What makes figures now: the command, the machine and the versions."""
    return {
        "command": shlex.join(
            ["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]]
        ),
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "gpu": gpu_model(),
            "load": round(os.getloadavg()[0], 1),
        },
        "provenance": provenance(),
    }


def write_result(name: str, figures: Mapping[str, Any], *, folder: Path = RESULTS) -> Path:
    """Write ``<name>.json`` with figures that one command made.

    Args:
        name: of the benchmark.
        figures: plain numbers, nested as the benchmark likes.
        folder: where to.
    """
    return write_document(name, {**made_here(), "figures": figures}, folder=folder)


def write_document(name: str, document: Mapping[str, Any], *, folder: Path) -> Path:
    """Write ``<name>.json``: the benchmark's name and a document that says what made it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"benchmark": name, **document}, indent=2) + "\n")
    return path
