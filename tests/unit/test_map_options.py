"""Methods as flags: the chosen method decides which there are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest
import tyro

from agentlens.cli import main
from agentlens.cli._method import MethodFlags, with_method_flags
from agentlens.errors import InvalidArgument, UnknownName
from agentlens.saliency.base import METHODS, SaliencyMethod
from agentlens.saliency.methods.memory import Memory
from agentlens.saliency.methods.perturbation import Perturbation
from agentlens.saliency.methods.random import Random
from agentlens.saliency.methods.rise import Rise
from agentlens.workflows.live_agent import _for_a_game_in_play


@dataclass(frozen=True, kw_only=True)
class Options:
    """A command with a seed of its own."""

    maps: MethodFlags
    seed: int = 3
    """Seed."""


def parsed(*words: str) -> Options:
    kind = with_method_flags(Options, words)
    options: Options = tyro.cli(
        kind, args=words, config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
    )
    return options


@pytest.mark.parametrize("name", METHODS.names())
def test_without_flags_a_method_has_its_defaults(name: str) -> None:
    assert parsed("--method", name).maps.configured() == METHODS.load(name)()


@pytest.mark.parametrize(
    ("words", "method"),
    [
        ((), Perturbation()),
        (("--radius", "3"), Perturbation(radius=3.0)),
        (("--radius", "3", "5"), Perturbation(radius=(3.0, 5.0))),
        (("--planes", "each", "--preview"), Perturbation(planes="each", preview=True)),
        (("--targets", "kl", "sarfa"), Perturbation(targets=("kl", "sarfa"))),
        (("--method=memory", "--last", "8"), Memory(last=8)),
        (("--masks", "9", "--method", "rise"), Rise(masks=9)),
        (("--method", "random", "--seed", "4", "--random-seed", "5"), Random(seed=5)),
    ],
)
def test_flags_are_the_fields_of_the_chosen_method(
    words: tuple[str, ...], method: SaliencyMethod
) -> None:
    options = parsed(*words)
    assert options.maps.configured() == method
    assert options.seed == (4 if "--seed" in words else 3)


def test_another_methods_flag_is_no_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--method", "rise", "--radius", "3")
    assert "--radius" in capsys.readouterr().err


def test_an_unknown_method_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'rise'"):
        parsed("--method", "ris")


def test_a_flag_given_twice_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "x", "--targets", "kl", "--targets", "contrast"]) == 2
    assert "--targets is given twice" in capsys.readouterr().err


@pytest.mark.parametrize("name", METHODS.names())
def test_every_option_has_a_note_in_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--method", name, "--help")
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for option in dataclasses.fields(METHODS.load(name)):
        assert f"--{option.name.replace('_', '-')}" in text or f"--{name}-{option.name}" in text


def test_a_game_in_play_keeps_no_earlier_steps() -> None:
    assert _for_a_game_in_play("memory").past_steps == 0
    with pytest.raises(InvalidArgument, match="last at 1"):
        _for_a_game_in_play(Memory(last=3))
