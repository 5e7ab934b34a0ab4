"""The command line as a stranger meets it: help without torch, one sentence for bad input."""

from __future__ import annotations

import inspect
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from agentlens import cli
from agentlens.cli._method import with_method_flags
from agentlens.cli._options import ComputeFlags
from agentlens.cli._verb import VERBS
from agentlens.errors import InvalidArgument
from tests import render_samples

HELP_WITHOUT = (
    "import sys; from agentlens.cli import main\n{call}\nheavy = "
    "{{'torch', 'ale_py', 'gymnasium', 'cv2', 'pyarrow', 'av'}} & set(sys.modules)\n"
    "sys.exit(f'imported {{heavy}}' if heavy else 0)"
)


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agentlens", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", VERBS.names())
def test_help_of_every_command_imports_nothing_heavy(name: str) -> None:
    call = f"try: main(['{name}', '--help'])\nexcept SystemExit: pass"
    done = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT.format(call=call)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: agentlens {name}" in done.stdout


def test_list_of_commands_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {name} " in printed for name in VERBS.names())


def test_importing_the_package_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP_WITHOUT.format(call="import agentlens")], check=False
    )
    assert done.returncode == 0


def test_a_typing_error_suggests_the_right_word() -> None:
    done = run("vidoe")
    assert done.returncode == 2
    assert "did you mean 'video'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_in_a_pipe_has_no_colour_codes() -> None:
    assert "\x1b[" not in run("video", "--help").stdout + run("video", "x", "--bogus").stderr


def test_version() -> None:
    assert run("--version").stdout.startswith("agentlens 0.")


@pytest.mark.parametrize("words", ["--help", "methods", "agents"])
def test_a_reader_that_goes_away_or_a_full_disk_is_no_traceback(words: str) -> None:
    command = f"{sys.executable} -m agentlens {words}"
    for redirection in ("| true", "> /dev/full"):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("record", "random", "--env", "ALE/Pong-v5", "--threads", "-3"),
        ("record", "x" * 300),
        ("explain", "x" * 300),
    ],
)
def test_odd_numbers_and_names_are_one_sentence(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 1
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert printed.startswith("agentlens: ")
    assert printed.endswith(".")


@pytest.mark.parametrize("memory_gb", [0.0, -1.0, float("nan"), 1e300])
def test_memory_that_no_machine_has_is_refused(memory_gb: float) -> None:
    with pytest.raises(InvalidArgument, match="GB: expected"):
        _ = ComputeFlags(memory_gb=memory_gb).compute


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["agents"], ""),
        (["video", "pongg-ppo"], "did you mean 'pong-ppo'"),
        (["watch", "no/such.zip"], "no such file"),
        (["record", "my_policy:Net", "--trust-code"], "the format of an agent.toml"),
        (["explain", "no-recording"], "no such folder"),
        (["render", "no-recording"], "no such folder"),
        (["compare", "pong-ppo", "pongg-ppo"], "did you mean 'pong-ppo'"),
        (["compare", "--help"], ""),
        (["vidoe"], "did you mean 'video'?"),
        (["video", "pong-ppo", "--max-stpes", "3"], "--max-steps"),
        (["explain", "tests", "--method", "gradiant"], "did you mean 'gradient'"),
        (["info", "pongg-ppo"], "did you mean 'pong-ppo'"),
    ],
)
def test_errors_and_lists_come_before_anything_heavy_is_loaded(words: list[str], said: str) -> None:
    call = (
        f"code = 0\ntry: code = main({words!r})\nexcept SystemExit as end: code = end.code\n"
        f"assert bool(code) == {bool(said)}, code"
    )
    light = HELP_WITHOUT.replace("'pyarrow', ", "")
    done = subprocess.run(
        [sys.executable, "-c", light.format(call=call)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stderr


def test_what_a_terminal_cannot_show_is_escaped_and_no_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "räksmörgås"
    render_samples.record(folder, 20)
    done = subprocess.run(
        [sys.executable, "-m", "agentlens", "moments", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    assert r"r\xe4ksm" in done.stdout


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_work_is_done_with_an_output_closed_and_the_code_says_so(
    tmp_path: Path, closed: str
) -> None:
    render_samples.record(tmp_path / "r", 3)
    command = f"{sys.executable} -m agentlens render r --step 1 --output x.png {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert (tmp_path / "x.png").is_file()


def examples() -> list[list[str]]:
    """The commands that the help texts give as examples."""
    texts = [inspect.getdoc(VERBS.load(name).options) or "" for name in VERBS.names()]
    lines = [line.strip().removeprefix("Example: ") for text in texts for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("agentlens ")]


@pytest.mark.parametrize("words", examples(), ids=" ".join)
def test_examples_of_the_help_are_commands_that_are_understood(words: list[str]) -> None:
    verb = VERBS.load(words[0])
    tyro.cli(
        with_method_flags(verb.options, words[1:]),
        args=words[1:],
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
    )


def test_every_command_but_those_without_a_choice_has_an_example() -> None:
    assert set(VERBS.names()) - {words[0] for words in examples()} == {"agents", "demo", "doctor"}
