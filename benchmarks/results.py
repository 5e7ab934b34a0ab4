"""Keeps what a benchmark found, with the machine and the versions that it was found on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentlens.provenance import provenance

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, figures: Mapping[str, Any]) -> Path:
    """Write ``results/<name>.json``.

    Args:
        name: of the benchmark.
        figures: plain numbers, nested as the benchmark likes.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {
        "benchmark": name,
        "figures": figures,
        "machine": {"cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "provenance": provenance(),
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path
