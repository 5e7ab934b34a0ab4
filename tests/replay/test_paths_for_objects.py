"""Wherever an agent or a recording is expected, its name or folder will do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import agentlens
from agentlens import Compute, methods
from agentlens.drawing.draw import Draw

COARSE, CPU = methods.Perturbation(stride=30), Compute(device="cpu")


def test_names_and_folders_stand_for_what_lies_there(tmp_path: Path) -> None:
    agent = agentlens.load_agent("pong-ppo")
    folder = agent.folder
    assert folder is not None
    by_object = agentlens.record(
        agent,
        output=tmp_path / "a",
        play=agentlens.Play(max_steps=9),
        compute=agentlens.Compute(device="cpu"),
    )
    by_path = agentlens.record(
        folder,
        output=tmp_path / "b",
        play=agentlens.Play(max_steps=9),
        compute=agentlens.Compute(device="cpu"),
    )
    assert by_path.header.identity == by_object.header.identity
    assert all(verdict.exact for verdict in agentlens.verify(str(tmp_path / "b")))
    maps = agentlens.explain(tmp_path / "b", COARSE, compute=CPU)
    same = agentlens.explain(by_object, COARSE, compute=CPU)
    np.testing.assert_array_equal(maps.values, same.values)
    agentlens.render(tmp_path / "b", maps, tmp_path / "x.png", draw=Draw(scale=1))
    agentlens.still(str(tmp_path / "b"), maps, tmp_path / "y.png", step=3, draw=Draw(scale=1))
    again = agentlens.revisit(
        tmp_path / "b", str(folder), output=tmp_path / "c", compute=agentlens.Compute(device="cpu")
    )
    np.testing.assert_array_equal(again.episodes[0].planes[:], by_path.episodes[0].planes[:])
