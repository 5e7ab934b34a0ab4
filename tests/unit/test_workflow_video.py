"""A whole job refuses what cannot work before it begins, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

import agentlens
from agentlens.errors import AgentlensError, AlreadyExists, InvalidArgument, UnknownName
from agentlens.saliency.methods.integrated_gradients import IntegratedGradients
from agentlens.saliency.methods.perturbation import Perturbation


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (UnknownName, {"output": "x.avi"}),
        (AlreadyExists, {"output": "there.mp4"}),
        (InvalidArgument, {"output": "x.pdf"}),
        (UnknownName, {"method": "perturbatoin"}),
        (InvalidArgument, {"method": Perturbation(targets=("gap",))}),
        (InvalidArgument, {"method": IntegratedGradients(targets=("kl",))}),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(
    error: type[AgentlensError],
    arguments: dict[str, object],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mp4").write_bytes(b"mine")
    with pytest.raises(error):
        agentlens.video("pong-ppo", **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["there.mp4"]
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
