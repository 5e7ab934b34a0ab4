"""Every example in a help text is run: as written but smaller, or, where it would take whole games
or minutes, up to where that begins."""

from __future__ import annotations

import inspect
import shlex
import shutil
from pathlib import Path

import pytest

import agentlens
from agentlens import cli
from agentlens.cli import _console
from agentlens.cli._verb import VERBS
from tests.contracts.test_formats import baby_file, build_sb3
from tests.unit.test_checkpoint_statements import WRAPPER, run_of_the_zoo

STEPS = 160
"""Of the recording that the examples look at: a point is lost in them."""

SMALLER: dict[str, dict[str, str]] = {
    "bench": {"--states": "2"},
    "compare": {
        "--map-states": "2",
        "--layer-steps": "0",
        "--badge-states": "0",
        "--video-steps": "0",
        "--moments": "0",
    },
    "concepts": {"--updates": "2"},
    "describe": {"--steps": "100:102"},
    "edit": {"--games": "2"},
    "embed": {"--states": "160"},
    "excite": {"--updates": "2"},
    "explain": {"--steps": "100:102", "--output": "maps"},
    "features": {"--updates": "2"},
    "intervene": {"--repeats": "1", "--from": "100", "--for": "2"},
    "measure": {"--states": "2", "--metrics": "sparseness"},
    "record": {"--max-steps": "4", "--output": "recordings/new"},
    "render recordings/pong --around": {"--seconds": "0.5"},
    "render recordings/pong --output": {"--steps": "100:102"},
    "score": {"--max-steps": "4"},
    "student": {"--updates": "2", "--games": "0"},
    "train-lan": {"--updates": "2", "--teacher-frames": "2", "--batch": "2"},
    "video": {"--max-steps": "2"},
    "watch": {"--max-steps": "2"},
    "whynot": {"--step": "120"},
}
"""Flags that examples which begin so get in place of their own, so that they take a second."""

BEGUN = ("--quick", "--episodes 10", "--checkpoints", "bench hint")
"""Words of examples that play whole games: they are followed up to their first report."""

DEAR = ("bench causes", "dissect", "edit", "excite", "student", "train-lan")
"""Beginnings of examples that take several seconds however small they are, and that other tests
run: they are followed up to the beginning of the work."""


class FirstReport(BaseException):
    """Work begins: what is refused before it was not."""


def examples() -> list[str]:
    """The commands that the help texts give as examples, without the program's name."""
    texts = [inspect.getdoc(VERBS.load(name).options) or "" for name in VERBS.names()]
    lines = [line.strip().removeprefix("Example: ") for text in texts for line in text.splitlines()]
    return [line.removeprefix("agentlens ") for line in lines if line.startswith("agentlens ")]


def smaller(example: str) -> list[str]:
    """The command with other sizes, whether it says its own or not."""
    words = shlex.split(example)
    for beginning, flags in SMALLER.items():
        for flag, value in flags.items() if example.startswith(beginning) else ():
            if flag in words:
                words[words.index(flag) + 1] = value
            else:
                words += [flag, value]
    return words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the examples name."""
    home = tmp_path_factory.mktemp("examples")
    play = agentlens.Play(max_steps=STEPS)
    pong = agentlens.record("pong-ppo", output=home / "recordings/pong", play=play)
    agentlens.explain(pong, "perturbation", steps=slice(100, 102))
    shutil.copytree(home / "recordings/pong", home / "recordings/pong-ppo")
    inside = ["dissect", str(home / "recordings/pong-ppo"), "--places", "torso.5"]
    assert cli.main(inside) == 0  # the examples of edit choose units by its table
    for name, agent in (("a", "pong-ppo"), ("b", "pong-ppo-early")):
        few = agentlens.Play(max_steps=30)
        agentlens.record(agent, output=home / "recordings" / name, play=few)
    baby_file(home / "model.80.tar", actions=4)
    build_sb3("ppo").save(home / "ppo.zip")
    (home / "runs").mkdir()
    for number in (1, 2):
        shutil.copy(home / "ppo.zip", home / f"runs/rl_model_{number}_steps.zip")
    run = run_of_the_zoo(home, {"env_wrapper": [WRAPPER], "frame_stack": 4})
    (home / "logs/ppo").mkdir(parents=True)
    run.rename(home / "logs/ppo/PongNoFrameskip-v4_1")
    return home


@pytest.mark.parametrize("example", examples())
def test_an_example_of_the_help_runs(
    example: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    dear = example.startswith(DEAR)
    if dear or any(words in example for words in BEGUN):

        def stop(*_: object) -> None:
            raise FirstReport

        monkeypatch.setattr(_console._PlainLines, "__init__" if dear else "__call__", stop)
    try:
        code = cli.main(smaller(example))
    except FirstReport:
        return
    assert code == 0, capsys.readouterr().err
