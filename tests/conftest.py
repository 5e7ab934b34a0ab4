"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Read when torch is first imported: its threads spin when a machine has more work than cores,
# which makes a test run several times slower, and the tests' networks are small.
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def policies_folder() -> Path:
    """The folder of real public policies; the test is skipped where there is none."""
    default = REPOSITORY.parent / "shared" / "policies"
    folder = Path(os.environ.get("AGENTLENS_POLICIES", default))
    if not folder.is_dir():
        pytest.skip(f"no folder of public policies at {folder}; set AGENTLENS_POLICIES")
    return folder
