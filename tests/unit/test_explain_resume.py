"""Damaged map sets can be made again, and stopped ones finished."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import agentlens
from agentlens.errors import Corrupt, Interrupted

COARSE = agentlens.methods.Perturbation(stride=20)


def test_a_truncated_map_set_is_made_again(tmp_path: Path) -> None:
    agent = agentlens.load_agent("pong-ppo")
    recording = agentlens.record(agent, output=tmp_path / "x", play=agentlens.Play(max_steps=6))
    maps = agentlens.explain(recording, COARSE, steps=range(4))
    whole, folder = maps.values.copy(), maps.folder
    assert folder is not None
    values = folder / "values.f32"
    values.write_bytes(values.read_bytes()[:100])
    with pytest.raises(Corrupt):
        agentlens.open_maps(folder)
    np.testing.assert_array_equal(
        agentlens.explain(recording, COARSE, steps=range(4)).values, whole
    )
    again = agentlens.explain(recording, COARSE, steps=range(4), force=True)
    np.testing.assert_array_equal(again.values, whole)


def test_ctrl_c_keeps_the_maps_so_far(tmp_path: Path) -> None:
    recording = agentlens.record(
        "pong-ppo", output=tmp_path / "x", play=agentlens.Play(max_steps=20)
    )
    whole = agentlens.explain(recording, COARSE, steps=range(16), output=tmp_path / "whole")

    def stop(done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    folder = tmp_path / "maps"
    with pytest.raises(Interrupted, match="the maps so far are in"):
        agentlens.explain(recording, COARSE, steps=range(16), output=folder, progress=stop)
    assert len(agentlens.open_maps(folder).steps) == 8
    with pytest.raises(Interrupted, match="the same command without --force goes on"):
        agentlens.explain(
            recording,
            agentlens.methods.Perturbation(stride=19),
            steps=range(16),
            force=True,
            progress=stop,
        )
    agentlens.explain(recording, COARSE, steps=range(8), output=folder, force=True)
    finished = agentlens.explain(recording, COARSE, steps=range(16), output=folder)
    np.testing.assert_array_equal(finished.values, whole.values)
