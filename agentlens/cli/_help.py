"""What ``--help`` and ``--help-all`` print: what, how, output, the most used flags first."""

from __future__ import annotations

import dataclasses
import inspect
import re
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from agentlens.cli._flags import Flag, flags_of
from agentlens.cli._method import MethodFlags, with_method_flags
from agentlens.cli._verb import Verb
from agentlens.registry import Registry

MOST = 12
"""Flags that ``--help`` shows."""

TITLES = ("what", "how", "output")
_WHAT = (
    "steps",
    "around",
    "seconds",
    "step",
    "mean",
    "episode",
    "env",
    "preset",
    "format",
    "checkpoints",
    "order",
    "agent",
    "maps",
    "place",
    "places",
    "seed-twin",
    "manifest",
    "name",
    "trust-code",
)
_OUTPUT = (
    "output",
    "layout",
    "theme",
    "figure",
    "json",
    "lines",
    "panels",
    "heats",
    "limits",
    "scale",
    "fps",
    "width-cm",
    "video-steps",
    "moments",
    "own-scales",
    "markdown",
    "pictures",
    "force",
    "resume",
)
_MOST_USED = (
    "env",
    "steps",
    "around",
    "step",
    "mean",
    "quick",
    "episodes",
    "checkpoints",
    "method",
    "targets",
    "action",
    "output",
    "max-steps",
    "seed",
    "planes",
    "states",
    "layout",
    "theme",
    "preset",
    "order",
    "maps",
    "map-states",
    "seconds",
    "heats",
    "selection",
    "device",
    "episode",
    "force",
    "resume",
    "contrast",
    "panels",
    "reference",
    "format",
    "radius",
    "fps",
    "scale",
)
"""Flags in the order in which they are looked for; all others follow as they are defined."""

_LAST = ("trust-code", "device", "threads", "engine", "memory-gb", "n-envs", "force", "resume")
"""Flags that stand below the others of their group."""

_STAGES = (
    (0, "in one command"),
    (10, "agents"),
    (30, "play"),
    (40, "look"),
    (48, "look inside the network"),
    (50, "ask, compare, measure"),
    (60, "check"),
)
_WIDEST = 100
_NOTE_COLUMN = 26


def help_wanted(words: Sequence[str]) -> str:
    """Which help a command line asks for: "", "help" or "help-all"."""
    before = words[: words.index("--")] if "--" in words else words
    if "--help-all" in before:
        return "help-all"
    return "help" if {"-h", "--help"} & set(before) else ""


def print_commands(verbs: Registry[Verb]) -> None:
    """List the commands by what they are for, in the order of use."""
    table = sorted((verbs.load(name).order, name, verbs.load(name)) for name in verbs.names())
    print("usage: agentlens COMMAND [OPTIONS]      agentlens COMMAND --help\n")
    print("See what a reinforcement-learning agent looks at, why it acted, and how two differ.")
    ends = [first for first, _ in _STAGES[1:]] + [float("inf")]
    for (first, title), end in zip(_STAGES, ends, strict=True):
        print(f"\n{title}")
        for order, name, verb in table:
            if first <= order < end:
                print(f"  {name:<10} {verb.summary}")
    print("\nstart here: agentlens video pong-ppo")


@dataclass(frozen=True, kw_only=True)
class _Help:
    """The flags that are shown, by group, and how many are left."""

    shown: tuple[Flag, ...]
    left: int


def print_help(verb: Verb, name: str, words: Sequence[str]) -> None:
    """Print a command's help.

    Args:
        verb: the command.
        name: its name.
        words: its command line; a method named there has all its flags shown.

    Raises:
        UnknownName: a method that does not exist.
    """
    options = with_method_flags(verb.options, words)
    chosen = _choose(
        tuple(flags_of(options)),
        everything=help_wanted(words) == "help-all",
        with_method=_names_method(words),
    )
    width = max(60, min(shutil.get_terminal_size().columns, _WIDEST))
    wanted = [flag.typed for flag in chosen.shown if flag.positional or flag.required]
    print(" ".join(["usage: agentlens", name, *wanted, "[OPTIONS]"]))
    about, examples = _description(verb)
    about += _about_method(options, words)
    for text in about:
        print(f"\n{textwrap.fill(text, width)}")
    for title in TITLES:
        flags = [flag for flag in chosen.shown if _group(flag) == title]
        if flags:
            print(f"\n{title}")
            print("\n".join(line for flag in flags for line in _lines(flag, width)))
    if chosen.left:
        print(f"\n{chosen.left} more: agentlens {name} --help-all")
    if examples:
        print("\nexamples")
        print("\n".join(f"  {example}" for example in examples))


def _names_method(words: Sequence[str]) -> bool:
    return any(word == "--method" or word.startswith("--method=") for word in words)


def _about_method(options: type, words: Sequence[str]) -> list[str]:
    """What a method that the command line names is, and its weakness."""
    if not _names_method(words):
        return []
    groups = [field.type for field in dataclasses.fields(options)]
    return [
        inspect.getdoc(group) or ""
        for group in groups
        if isinstance(group, type) and issubclass(group, MethodFlags)
    ]


def _choose(flags: tuple[Flag, ...], *, everything: bool, with_method: bool) -> _Help:
    """The flags to show, the most used first; the method's own where a method was named."""
    ranks = {name: rank for rank, name in enumerate(_MOST_USED)}
    ordered = sorted(flags, key=lambda flag: ranks.get(flag.name, len(ranks)))
    arguments = [flag for flag in flags if flag.positional]
    named = [flag for flag in ordered if not flag.positional]
    named.sort(key=lambda flag: not flag.required)
    first = named[: None if everything else MOST]
    if with_method:
        first = first + [flag for flag in named[len(first) :] if flag.of_method]
    first.sort(key=lambda flag: _LAST.index(flag.name) if flag.name in _LAST else -1)
    return _Help(shown=(*arguments, *first), left=len(named) - len(first))


def _group(flag: Flag) -> str:
    if flag.of_method:
        return "how"
    if flag.positional or flag.name in _WHAT:
        return "what"
    return "output" if flag.name in _OUTPUT else "how"


def _description(verb: Verb) -> tuple[list[str], list[str]]:
    """The paragraphs of a command's docstring, and its examples."""
    text = inspect.getdoc(verb.options) or ""
    about, *below = re.split(r"^Examples?:", text, maxsplit=1, flags=re.MULTILINE)
    paragraphs = [" ".join(part.split()) for part in about.split("\n\n") if part.strip()]
    lines = (line.strip().removeprefix("Example: ") for line in "".join(below).splitlines())
    return paragraphs, [line for line in lines if line]


def _lines(flag: Flag, width: int) -> list[str]:
    """A flag and its note, in two columns."""
    default = f" (default: {flag.default})" if flag.default else ""
    if flag.required and not flag.positional:
        default = " (required)"
    notes = textwrap.wrap(flag.note + default, width - _NOTE_COLUMN)
    left = f"  {flag.typed}"
    if len(left) <= _NOTE_COLUMN - 2 and notes:
        return [f"{left:<{_NOTE_COLUMN}}{notes[0]}", *(" " * _NOTE_COLUMN + n for n in notes[1:])]
    return [left, *(" " * _NOTE_COLUMN + note for note in notes)]
