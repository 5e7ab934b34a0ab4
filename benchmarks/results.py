"""Where benchmarks put their figures: one JSON file each, with the machine and its load named."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from agentlens.provenance import provenance

FOLDER = Path(__file__).resolve().parent / "results"


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/<name>.json``; returns its path.

    Args:
        name: of the benchmark.
        figures: what was measured, JSON values only; units belong into the keys.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    machine = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average_1_5_15_minutes": [round(load, 1) for load in os.getloadavg()],
    }
    content = {"machine": machine, "figures": figures, **provenance()}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    """The processor's model as Linux names it, or what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
