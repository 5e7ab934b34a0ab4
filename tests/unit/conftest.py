"""Fixtures of the unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

TINY_RECIPE = """
[agent]
preset = "ale-v5"

[environment]
id = "ALE/Breakout-v5"

[observation]
resize = [6, 5]
stack = 2

[[network.chains]]
name = "q"
layers = [{ kind = "flatten" }, { kind = "linear", out = 4 }]
output = "q_values"

[sources]
"q.1" = "q"
"""


@pytest.fixture
def tiny_checkpoint(tmp_path: Path) -> Path:
    """A torch state dict of one linear layer for Breakout, with its recipe beside it (.toml)."""
    path = tmp_path / "tiny.pt"
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.rand(4, 60, generator=generator), torch.rand(4, generator=generator)
    torch.save({"q.weight": weight, "q.bias": bias}, path)
    path.with_suffix(".toml").write_text(TINY_RECIPE)
    return path
