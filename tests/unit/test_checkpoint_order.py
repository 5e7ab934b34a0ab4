"""Checkpoints in the order of training, by the names that trainers write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentlens.errors import InvalidArgument
from agentlens.workflows.checkpoint_order import checkpoint_files, step_number


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("rl_model_256_steps.zip", 256),
        ("checkpoint-0200.zip", 200),
        ("model.80.tar", 80),
        ("breakout_a3c_5.pt", 5),
        ("stage3.pt", 3),
        ("step-1.2M.pt", 1_200_000),
        ("agent_500k.pt", 500_000),
        ("Breakout-v5__ppo__1__100_steps.pt", 100),
        ("ppo_84x84_300.pt", 300),
        ("PongNoFrameskip-v4.zip", None),
        ("best_model.zip", None),
        ("agent.pt", None),
    ],
)
def test_the_step_that_a_name_tells(name: str, step: float | None) -> None:
    assert step_number(name) == step


@pytest.mark.parametrize(
    "names",
    [
        ["rl_model_256_steps.zip", "rl_model_1024_steps.zip", "best_model.zip", "Pong-v4.zip"],
        ["checkpoint-2.zip", "checkpoint-10.zip", "checkpoint-100.zip", "final.zip"],
        ["init.pt", "agent_900k.pt", "agent_1M.pt", "agent_best.pt", "agent.pt"],
        ["policy-2.pt", "policy-10.pt", "policy-final-3.pt"],
    ],
    ids=["sb3", "ours", "with a first one", "final by word"],
)
def test_training_order_with_the_best_and_the_final_one_last(
    tmp_path: Path, names: list[str]
) -> None:
    for name in sorted(names, reverse=True):
        (tmp_path / name).touch()
    files = checkpoint_files(str(tmp_path / "*"))
    assert [Path(file).name for file in files] == names


def test_files_of_one_name_are_ordered_by_their_folders(tmp_path: Path) -> None:
    for step in (10, 9, 100):
        (tmp_path / f"step_{step}").mkdir()
        (tmp_path / f"step_{step}" / "agent.pt").touch()
    files = checkpoint_files(str(tmp_path / "*" / "agent.pt"))
    assert [Path(file).parent.name for file in files] == ["step_9", "step_10", "step_100"]


def test_other_orders_and_no_file(tmp_path: Path) -> None:
    for seconds, name in enumerate(("b-1.pt", "a-2.pt", "a-10.pt")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    everything = str(tmp_path / "*.pt")
    by_time, by_name = (checkpoint_files(everything, order) for order in ("time", "names"))
    assert [Path(file).name for file in by_time] == ["b-1.pt", "a-2.pt", "a-10.pt"]
    assert [Path(file).name for file in by_name] == ["a-2.pt", "a-10.pt", "b-1.pt"]
    with pytest.raises(InvalidArgument, match="no file matches"):
        checkpoint_files(str(tmp_path / "*.zip"))
