"""Methods that give one number a step are drawn as curves: there is no place to be hot."""

from __future__ import annotations

from pathlib import Path

import agentlens
from agentlens.drawing.film import Film


def test_a_curve_has_no_heat_panel_but_a_curve(tmp_path: Path) -> None:
    agent = agentlens.load_agent("pong-ppo")
    recording = agentlens.record(agent, output=tmp_path / "x", play=agentlens.Play(max_steps=4))
    maps = agentlens.explain(recording, "temporal", steps=[2, 3])
    film = Film(recording, maps)
    assert maps.grid.shape == (1, 1)
    assert film.scene.layers == ()
    assert "max kl" in [curve.name for curve in film.scene.curves]
    agentlens.still(recording, maps, tmp_path / "x.png", step=3)
