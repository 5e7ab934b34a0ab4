"""A damaged map set can be made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentlens
from agentlens.errors import Corrupt


def test_a_truncated_map_set_is_made_again(tmp_path: Path) -> None:
    agent = agentlens.load_agent("pong-ppo")
    recording = agentlens.record(agent, output=tmp_path / "x", max_steps=6)
    whole = agentlens.explain(recording, steps=range(4), stride=20).values.copy()
    values = tmp_path / "x" / "maps" / "perturbation" / "values.f32"
    values.write_bytes(values.read_bytes()[:100])
    with pytest.raises(Corrupt):
        agentlens.open_maps(tmp_path / "x" / "maps" / "perturbation")
    again = agentlens.explain(recording, steps=range(4), stride=20, force=True)
    np.testing.assert_array_equal(again.values, whole)
