"""A training run's folder: its model is taken by every verb, and agents are called by the run."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest

from agentlens import cli
from agentlens.cli import _console
from agentlens.cli._options import AgentChoice
from agentlens.cli._verb import VERBS
from agentlens.errors import InvalidArgument
from agentlens.policies.agent import load_agent
from agentlens.policies.importing import import_agent
from agentlens.policies.run_folders import checkpoint_path, model_name
from agentlens.workflows.info import info
from agentlens.workflows.participants import load_participants
from tests.unit.test_checkpoint_statements import WRAPPER, run_of_the_zoo
from tests.unit.test_hostile_checkpoints import FIELDS, write_zip


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("ppo/Pong_1/best_model.zip", "Pong_1-best_model"),
        ("ppo/Pong_1/rl_model_1000_steps.zip", "Pong_1-rl_model_1000_steps"),
        ("late/model.zip", "late-model"),
        ("breakout/model.80.tar", "breakout-model.80"),
        ("run/checkpoint_5.pt", "run-checkpoint_5"),
        ("Pong-v4__dqn_atari__1__17/dqn_atari.cleanrl_model", "Pong-v4__dqn_atari__1__17"),
        ("downloads/dqn_atari.cleanrl_model", "dqn_atari"),
        ("downloads/my-ppo.zip", "my-ppo"),
        ("downloads/modelling.zip", "modelling"),
    ],
)
def test_a_file_called_as_every_runs_is_named_with_its_folder(path: str, name: str) -> None:
    assert model_name(Path(path)) == name


def test_the_zoos_last_model_is_named_as_its_run(tmp_path: Path) -> None:
    run = run_of_the_zoo(tmp_path, {"env_wrapper": [WRAPPER], "frame_stack": 4})
    assert load_agent(run).spec.name == "Env_1"
    assert load_agent(run / "best_model.zip").spec.name == "Env_1-best_model"


def test_a_runs_folder_is_an_agent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_of_the_zoo(tmp_path, {"env_wrapper": [WRAPPER], "frame_stack": 4})
    folder = import_agent(run, tmp_path / "zoo")
    assert load_agent(folder).spec.environment.id == "PongNoFrameskip-v4"
    assert [p.label for p in load_participants([run, folder])] == ["Env_1", "zoo"]
    assert cli.main(["info", str(run)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "agent: Env_1 (PPO)"
    assert f"go on: agentlens video {run}" in lines


OTHER = "pong-ppo"

COMMANDS = {
    "compare": (OTHER, "--quick", "--episodes", "1", "--map-states", "0", "--moments", "0"),
    "import": ("--name", "imported", "--output", "imported"),
    "info": (),
    "network": (),
    "record": ("--max-steps", "4", "--output", "recording"),
    "score": ("--episodes", "2", "--max-steps", "4"),
    "video": ("--max-steps", "2", "--stride", "20"),
    "watch": ("--max-steps", "2", "--stride", "20", "--output", "watched.mp4"),
}
"""Verbs that take an agent, with what makes them quick."""

WHOLE_GAMES = ("compare",)
"""Those that play whole games: they are followed up to the first report of play."""


def test_the_verbs_below_are_all_that_take_an_agent() -> None:
    choosing = {
        name
        for name in VERBS.names()
        if AgentChoice in get_type_hints(VERBS.load(name).options).values()
    }
    assert choosing == set(COMMANDS) - {"compare", "import", "info"}  # these say it in own words


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_takes_a_runs_folder(
    verb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    run = run_of_the_zoo(tmp_path, {"env_wrapper": [WRAPPER], "frame_stack": 4})
    if verb in WHOLE_GAMES:
        monkeypatch.setattr(_console._PlainLines, "__call__", _stop)
    try:
        assert cli.main([verb, str(run), *COMMANDS[verb]]) == 0
    except _Playing:
        assert verb in WHOLE_GAMES
    assert "PongNoFrameskip-v4.zip" in caplog.text + capsys.readouterr().out


class _Playing(BaseException):
    """The agent plays: it was taken."""


def _stop(*_: object) -> None:
    raise _Playing


def test_a_checkpoint_without_its_game_is_told_with_env(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write_zip(tmp_path / "ppo.zip", FIELDS))
    assert cli.main(["info", path]) == 1
    assert "give env" in capsys.readouterr().err
    assert cli.main(["info", path, "--env", "PongNoFrameskip-v4"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.strip() == f"agentlens score {path} --env PongNoFrameskip-v4"
    with pytest.raises(InvalidArgument, match="expected an agent"):
        info(path)


def test_a_folder_with_several_models_of_cleanrl_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "a.cleanrl_model").write_bytes(b"")
    assert checkpoint_path(tmp_path) == tmp_path / "a.cleanrl_model"
    (tmp_path / "b.cleanrl_model").write_bytes(b"")
    assert checkpoint_path(tmp_path) == tmp_path
    (tmp_path / "agent.toml").write_text("")
    assert checkpoint_path(tmp_path) == tmp_path
