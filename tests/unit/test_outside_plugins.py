"""A panel and a checkpoint format of another package, each one file, found by entry point."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import agentlens
from agentlens.drawing.panel import PANELS
from agentlens.policies.checkpoint import FORMATS, detect_format

PLUGIN = '''
import json
from dataclasses import dataclass

import numpy as np

from agentlens.errors import CheckpointError
from agentlens.policies.checkpoint import Format


@dataclass(frozen=True, kw_only=True)
class Blue:
    """A blue square."""

    size: tuple[int, int]

    @classmethod
    def for_scene(cls, scene, width):
        return (cls(size=(width, 40)),)

    def draw(self, context):
        picture = np.zeros((self.size[1], self.size[0], 3), np.uint8)
        picture[...] = (10, 20, 250)
        return picture


def read(path, hints):
    raise CheckpointError(f"{path}: a blue file says {json.loads(path.read_text())['blue']}.")


BLUE = Format(
    summary="blue files",
    likeness=lambda file: 2 if file.start.startswith(b'{"blue"') else 0,
    read=read,
)
'''


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with both, installed for one test."""
    (tmp_path / "blue_package.py").write_text(PLUGIN)
    info = tmp_path / "blue-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: blue\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[agentlens.panels]\nblue = blue_package:Blue\n\n"
        "[agentlens.formats]\nblue-file = blue_package:BLUE\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "blue_package", None)
    del sys.modules["blue_package"]


@pytest.mark.usefixtures("plugins")
def test_a_panel_is_listed_and_drawn(tmp_path: Path) -> None:
    assert "blue" in PANELS.names()
    play = agentlens.Play(episodes=1, seed=0, max_steps=4)
    recording = agentlens.record(
        agentlens.load_agent("random", env="ALE/Pong-v5"), output=tmp_path / "r", play=play
    )
    draw = agentlens.Draw(panels=("game", "blue"))
    agentlens.still(recording, None, tmp_path / "x.png", step=2, draw=draw)

    pixels = torch.from_numpy(np.array(Image.open(tmp_path / "x.png").convert("RGB")))
    assert ((pixels == torch.tensor([10, 20, 250])).all(-1)).sum() > 1000


@pytest.mark.usefixtures("plugins")
def test_a_format_is_listed_recognised_and_read(tmp_path: Path) -> None:
    assert "blue-file" in FORMATS.names()
    path = tmp_path / "agent.blue"
    path.write_text(json.dumps({"blue": 7}))
    assert detect_format(path) == "blue-file"
    with pytest.raises(agentlens.AgentlensError, match="a blue file says 7"):
        agentlens.load_agent(str(path), env="ALE/Pong-v5")
