"""What --help shows: the flags there are, in three groups, the most used first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import tyro

from agentlens import cli
from agentlens.cli._flags import flags_of
from agentlens.cli._method import with_method_flags
from agentlens.cli._verb import VERBS
from agentlens.saliency.base import METHODS


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(words) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", VERBS.names())
def test_help_of_all_flags_names_those_that_the_parser_takes(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(DeprecationWarning, match="get_parser"):
        parser = tyro.extras.get_parser(
            with_method_flags(VERBS.load(name).options, []),
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
        )
    taken = {
        option
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    } - {"--help"}
    shown = set(re.findall(r"^  (--[a-z-]+)", printed(capsys, name, "--help-all"), re.MULTILINE))
    assert shown == taken


@pytest.mark.parametrize("name", VERBS.names())
def test_help_shows_at_most_twelve_flags_and_says_how_many_are_left(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, name, "--help")
    shown = re.findall(r"^  (--[a-z-]+)", text, re.MULTILINE)
    total = len(
        [
            flag
            for flag in flags_of(with_method_flags(VERBS.load(name).options, []))
            if not flag.positional
        ]
    )
    assert len(shown) == min(total, 12)
    assert (f"{total - 12} more: agentlens {name} --help-all" in text) == (total > 12)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", VERBS.names())
def test_every_flag_says_what_it_does(name: str) -> None:
    for flag in flags_of(with_method_flags(VERBS.load(name).options, [])):
        assert flag.note.endswith("."), flag


def test_help_has_three_groups_and_each_flag_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "explain", "--help")
    groups = re.split(r"^(what|how|output|examples)$", text, flags=re.MULTILINE)
    assert groups[1::2] == ["what", "how", "output", "examples"]
    what, how, output = groups[2], groups[4], groups[6]
    assert "--steps FIRST:END" in what
    assert "--method NAME" in how
    assert "--output PATH" in output


@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_that_is_named_has_all_its_flags_shown(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, "explain", "--method", name, "--help")
    options = with_method_flags(VERBS.load("explain").options, ["--method", name])
    own = [flag.name for flag in flags_of(options) if flag.of_method]
    assert all(f"--{flag}" in text for flag in own)
    assert "Known weakness: " in " ".join(text.split())


def test_help_of_a_method_that_does_not_exist_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["explain", "--method", "gradiant", "--help"]) == 1
    assert "did you mean 'gradient'" in capsys.readouterr().err


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Flags of every kind."""

    number: int
    """A number."""
    share: float | None = None
    """A share."""
    names: tuple[str, ...] = ("a", "b")
    """Names."""
    folder: Path = Path("here")
    """A folder."""
    controls: bool = True
    """Measure controls."""


def test_flags_are_shown_as_they_are_typed() -> None:
    flags = {flag.name: flag for flag in flags_of(Sample)}
    assert flags["number"].typed == "--number INT"
    assert flags["number"].required
    assert (flags["share"].typed, flags["share"].default) == ("--share NUMBER", "")
    assert (flags["names"].typed, flags["names"].default) == ("--names NAME ...", "a b")
    assert flags["folder"].default == "here"
    assert flags["no-controls"].typed == "--no-controls"
    assert flags["no-controls"].note == "Switches this off: measure controls."
    assert not flags["share"].required
