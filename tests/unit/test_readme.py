"""The README's commands and its Python, run as written but for their length."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
SHORTER = {
    "video": ["--max-steps", "12"],
    "watch": ["--max-steps", "12"],
    "record": ["--max-steps", "24", "--n-envs", "3"],
}
"""Added to a command, so that it plays seconds instead of whole games."""

LONG = {"score", "compare", "intervene", "measure", "bench", "dissect", "train-lan"}
"""Whole games, or minutes: their own tests run them on small agents."""


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)


def commands() -> list[list[str]]:
    lines = [line for block in code_blocks("") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[1:] for w in words if w[:1] == ["agentlens"]]


def shorter(words: list[str]) -> list[str]:
    """The command with fewer steps, whether it says a number or not."""
    flags = SHORTER.get(words[0], [])
    if "--max-steps" in words:
        place = words.index("--max-steps")
        words = words[:place] + words[place + 2 :]
    return [*words, *flags]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, policies_folder: Path) -> Path:
    """An empty folder with the two checkpoints that the README names."""
    path = tmp_path_factory.mktemp("readme")
    shutil.copy(policies_folder / "baby-a3c/breakout/model.80.tar", path / "model.80.tar")
    shutil.copy(policies_folder / "pong-nature/late/model.zip", path / "ppo.zip")
    return path


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )


def test_every_command_of_the_readme_runs(folder: Path) -> None:
    seen = set()
    for words in commands():
        seen.add(words[0])
        if words[0] in LONG:
            continue
        done = run(["-m", "agentlens", *shorter(words)], folder)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, (words, done.stderr)
    assert seen >= {"video", "agents", "import", "record", "explain", "render", "verify", "doctor"}
    assert (folder / "pong.mp4").stat().st_size > 1000
    assert (folder / "agents" / "my-ppo" / "agent.toml").is_file()


def test_the_readme_s_python_runs(folder: Path) -> None:
    (block,) = code_blocks("python")
    code = block.replace("max_steps=300", "max_steps=24").replace("range(100, 200)", "range(8, 16)")
    code = code.replace("[100:104]", "[8:12]")
    assert code.count("24") == 1
    done = run(["-c", code], folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "x.mp4").is_file()
