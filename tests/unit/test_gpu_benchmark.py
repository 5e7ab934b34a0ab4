"""The GPU benchmark runs to its end on a CPU, and measures what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import gpu


def test_small_sizes_end_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "AGENTS", ("pong-recurrent",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main(["--small", "--output", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "gpu.json").read_text())["figures"]
    assert figures["device"] == "cpu"
    assert (
        0 <= figures["pong-recurrent"]["float32"]["largest error, share of a map's maximum"] < 1e-4
    )
    assert figures["pong-recurrent"]["float32"]["maps a second, batched"] > 0
    assert "TF32" not in figures["pong-recurrent"]


def test_the_drawn_ball_moves_through_the_stack() -> None:
    frames = gpu.drawn_frames(3, (4, 84, 84))
    assert frames.shape == (3, 4, 84, 84)
    assert torch.equal(frames[0, 1:], frames[1, :3])
    assert not torch.equal(frames[0, 0], frames[0, 1])
