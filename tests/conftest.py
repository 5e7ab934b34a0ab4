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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none: pytest's closing line counts it."""
    import torch

    if torch.cuda.is_available():
        return
    left_out = [item for item in items if item.get_closest_marker("gpu")]
    if left_out:
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]
        config.hook.pytest_deselected(items=left_out)
